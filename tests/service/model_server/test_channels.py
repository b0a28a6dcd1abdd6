"""Ways to reach a server: several at once, a Unix socket, TLS."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.model_server import ModelServerAddress
from tests.service.fakes import until
from tests.service.gateway_process import start_gateway
from tests.service.model_server.gateways import marked, marked_calls, plain, play, predict
from tests.serving_double.process import ServingDoubleProcess


@pytest.mark.parametrize(
    ("target", "uri"),
    [
        ("tf-serving:8500", "dns:///tf-serving:8500"),
        ("dns:///tf-serving:8500", "dns:///tf-serving:8500"),
        ("unix:/run/serving.sock", "unix:/run/serving.sock"),
        ("ipv4:10.0.0.1:8500,10.0.0.2:8500", "ipv4:10.0.0.1:8500,10.0.0.2:8500"),
        ("[::1]:8500", "dns:///[::1]:8500"),
    ],
)
def test_an_address_without_a_scheme_is_looked_up(target: str, uri: str) -> None:
    assert ModelServerAddress(target).uri() == uri


def test_two_servers_share_the_calls_and_one_takes_over_from_the_other(
    double: ServingDoubleProcess, batching_double: ServingDoubleProcess
) -> None:
    servers = (double, batching_double)
    ports = ",".join(server.address for server in servers)

    async def scenario(client: httpx.AsyncClient) -> None:
        for server in servers:
            server.take_calls()
        shared = [0, 0]
        while min(shared) < 5:
            assert (await predict(client, marked())).status_code == 200
            shared = [n + len(marked_calls(s)) for n, s in zip(shared, servers, strict=True)]
        # Each has its connection by now: they take turns.
        for _ in range(20):
            assert (await predict(client, marked())).status_code == 200
        assert min(len(marked_calls(server)) for server in servers) >= 5

        await asyncio.to_thread(batching_double.kill)
        statuses = [(await predict(client, plain())).status_code for _ in range(40)]
        assert set(statuses[:3]) <= {200, 503}
        assert set(statuses[3:]) == {200}
        assert (await client.get("/readyz")).status_code == 200

    play(f"ipv4:{ports}", scenario, poll_seconds=60)


def test_a_unix_socket(double: ServingDoubleProcess, socket_path: Path) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        double.take_calls()
        assert (await predict(client, marked())).status_code == 200
        assert len(marked_calls(double)) == 1

    play(f"unix:{socket_path}", scenario, poll_seconds=60)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate authority `ca.pem` and the key and certificate of localhost."""
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments: str) -> None:
        command = ["openssl", *arguments]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)

    def new_key(name: str, *arguments: str) -> None:
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        openssl("req", *key, "-keyout", f"{name}.key", "-subj", f"/CN={name}", *arguments)

    new_key("ca", "-x509", "-days", "2", "-out", "ca.pem")
    new_key("other", "-x509", "-days", "2", "-out", "other.pem")
    new_key("localhost", "-out", "localhost.csr")
    (folder / "names").write_text("subjectAltName=DNS:localhost\n")
    signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2")
    openssl(
        "x509", "-req", "-in", "localhost.csr", *signing, "-extfile", "names", "-out", "server.pem"
    )
    return folder


@pytest.fixture(scope="module")
def tls_server(models_folder: Path, authority: Path) -> Iterator[ServingDoubleProcess]:
    config = authority / "ssl.config"
    key, chain = (
        (authority / name).read_text().replace("\n", "\\n")
        for name in ("localhost.key", "server.pem")
    )
    config.write_text(f'server_key: "{key}"\nserver_cert: "{chain}"\n')
    with ServingDoubleProcess(models_folder, ("--ssl_config_file", str(config))) as running:
        yield running


def port_of(server: ServingDoubleProcess) -> str:
    return server.address.rpartition(":")[2]


def test_tls_with_an_authority_of_one_s_own(
    tls_server: ServingDoubleProcess, models_folder: Path, authority: Path
) -> None:
    """Naming the certificate is enough: nobody who does so means to speak in the clear."""
    target = f"localhost:{port_of(tls_server)}"
    flags = ("--model-server", target, "--model-server-ca", str(authority / "ca.pem"))
    with start_gateway(models_folder, *flags) as gateway:
        gateway.wait_until_ready()
        answer = httpx.post(f"{gateway.url}/predict", content=plain(), timeout=60)
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("host", "tls", "ca"),
    [
        ("localhost", True, "other.pem"),
        ("localhost", True, None),
        ("127.0.0.1", True, "ca.pem"),
        ("localhost", False, None),
    ],
    ids=["another authority", "the system's authorities", "another name", "in the clear"],
)
def test_a_server_that_is_not_who_it_should_be_is_not_asked(
    tls_server: ServingDoubleProcess, authority: Path, host: str, tls: bool, ca: str | None
) -> None:
    address = ModelServerAddress(
        f"{host}:{port_of(tls_server)}", tls, None if ca is None else authority / ca
    )

    async def scenario(client: httpx.AsyncClient) -> None:
        told = await until(client, "/readyz", lambda told: "cannot be reached" in str(told))
        assert told["status"] == "not ready"

    play(address, scenario, ready=False)
