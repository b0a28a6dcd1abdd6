"""Every knob of the gateway: flags, environment variables, defaults and what they mean."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.keys import read_key_file, read_keys
from service.telemetry.logs import LogFormat, LogLevel


def _existing_folder(path: Path) -> Path:
    if not path.is_dir():
        raise ValueError(f"no such folder: {path}")
    return path


def _existing_file(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"no such file: {path}")
    return path


def _keys(text: str) -> str:
    read_keys(text.split(","))
    return text


def _key_file(path: Path) -> Path:
    read_key_file(path)
    return path


def _origins(text: str) -> str:
    for origin in split(text):
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ValueError("an origin looks like https://example.org:8443, without a path")
    return text


def _nobody_unknown(allowed: bool, known: ValidationInfo) -> bool:
    """Refuse an open door that nobody asked for."""
    address = known.data.get("published_address") or known.data.get("host", "127.0.0.1")
    keys = known.data.get("api_keys") or known.data.get("api_keys_file")
    wrong_keys = not {"api_keys", "api_keys_file"} <= known.data.keys()
    if allowed or keys or wrong_keys or is_loopback(address):
        return allowed
    raise ValueError(
        f"other machines reach {address}, and no API keys are set: set --api-keys-file, or say "
        "--allow-anonymous where something in front asks callers who they are"
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def split(text: str | None) -> list[str]:
    """Return the members of a list that is written with commas."""
    return [member.strip() for member in (text or "").split(",") if member.strip()]


_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\[\]:_-]+")
_SHIPPED_MODELS = Path(__file__).resolve().parent.parent / "models"


class Settings(BaseSettings):
    """Settings of the gateway.

    Each is read from the flag of its name (`--max-pixels`), else from the environment variable
    (`STN_MAX_PIXELS`), else the default holds.
    """

    model_config = SettingsConfigDict(
        env_prefix="STN_",
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        cli_kebab_case=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    published_address: str | None = Field(
        None,
        min_length=1,
        description="Address under which callers reach the gateway where that is not --host, as of "
        "a container whose port is published on 127.0.0.1 alone.",
    )
    admin_host: str = Field("127.0.0.1", description="Address of --admin-port.")
    admin_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port for /metrics, /livez and /readyz alone, without API keys, and of all "
        "workers together; 0 takes a free one. /metrics is then here only.",
    )
    api_keys: Annotated[str, AfterValidator(_keys)] | None = Field(
        None,
        description="API keys that are let in, each as name:sha256, with commas between them; "
        "`stn-serve keys new NAME` makes one.",
    )
    api_keys_file: Annotated[Path, AfterValidator(_key_file)] | None = Field(
        None,
        description="File of further API keys, one name:sha256 a line. Read again when it changes.",
    )
    allow_anonymous: Annotated[bool, AfterValidator(_nobody_unknown)] = Field(
        False,
        validate_default=True,
        description="Answer callers without an API key also where other machines reach the "
        "gateway.",
    )
    rate_limit_per_second: float | None = Field(
        None,
        gt=0,
        description="Requests a second that each caller may send: each API key, or without keys "
        "each address. Unlimited by default.",
    )
    rate_limit_burst: int = Field(
        20, ge=1, description="Requests that a caller may send at once before that limit holds."
    )
    cors_origins: Annotated[str, AfterValidator(_origins)] | None = Field(
        None,
        description="Origins whose pages may ask, https://example.org, with commas between them; "
        "* for any.",
    )
    page: bool = Field(True, description="Serve the page for people at /.")
    models: Annotated[Path, AfterValidator(_existing_folder)] = Field(
        _SHIPPED_MODELS,
        validate_default=False,
        description="Folder of the embedded backend, laid out as <servable>/<version>/. "
        "The shipped models by default.",
    )
    model_server: str | None = Field(
        None,
        min_length=1,
        description="TensorFlow Serving's gRPC address, host:port (or a gRPC target such as "
        "unix:/path); without it the models run in this process.",
    )
    model_server_tls: bool = Field(
        False, description="Encrypt the connection to the model server and verify who it is."
    )
    model_server_ca: Annotated[Path, AfterValidator(_existing_file)] | None = Field(
        None,
        description="File of root certificates for that, and implies it; the system's by default.",
    )
    predict_servable: str = Field(
        "stn", min_length=1, description="Servable behind /predict: the classifier."
    )
    warp_servable: str = Field(
        "warp", min_length=1, description="Servable behind /warp: the transformer alone."
    )
    max_request_bytes: int = Field(
        32 * 1024 * 1024, ge=1024, description="Largest request body, in bytes."
    )
    max_body_memory_bytes: int = Field(
        256 * 1024 * 1024,
        ge=1024,
        description="Most bytes that the bodies of all requests in progress may hold together.",
    )
    max_pixels: int = Field(
        25_000_000,
        ge=1,
        description="Most pixels of an image sent, and of a warped image asked for. Known from the "
        "header, before anything is decoded.",
    )
    max_batch_images: int = Field(
        64, ge=1, description="Most images in one request to /predict/batch."
    )
    max_batch_size: int = Field(
        32, ge=1, description="Most images that go to the model in one call."
    )
    decode_threads: int = Field(
        2, ge=1, le=64, description="Threads that decode and encode large pictures."
    )
    max_connections: int = Field(
        2048,
        ge=1,
        description="Most connections open at once; past it the one that has kept the gateway "
        "waiting for longest is closed, and where none has, the new one is refused with 503.",
    )
    max_head_bytes: int = Field(
        16 * 1024, ge=1024, description="Largest request line and headers together, in bytes."
    )
    head_timeout_seconds: float = Field(
        10.0, gt=0, description="Time in which the request line and the headers must have arrived."
    )
    keep_alive_seconds: int = Field(
        75, ge=1, description="Time for which a connection is kept open for a next request."
    )
    answer_timeout_seconds: float = Field(
        60.0, gt=0, description="Time in which a caller must have taken its answer."
    )
    body_timeout_seconds: float = Field(
        10.0, gt=0, description="Time in which a request body must have arrived."
    )
    request_timeout_ms: int = Field(
        10_000,
        ge=1,
        description="Time that a request has when it names none in X-Request-Timeout-Ms.",
    )
    max_request_timeout_ms: int = Field(
        30_000, ge=1, description="Most that X-Request-Timeout-Ms may ask for."
    )
    queue_ms: int = Field(
        50,
        ge=1,
        description="How long a request may wait for those before it, by their measured pace, "
        "before further ones are refused; twice as long with a larger picture. A little work "
        "may always wait.",
    )
    poll_seconds: float = Field(
        1.0, gt=0, description="How often versions are looked up and a canary is sent."
    )
    log_format: LogFormat = Field(
        "text", description="Form of the log lines: text for people, json for machines."
    )
    log_level: LogLevel = Field("info", description="What is less than this is not logged.")
    access_log_sample: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of the requests answered 2xx that get a line in the log, from 0 to 1; "
        "all others do, but at most 20 a second of those turned away (429, 503).",
    )
    trace_endpoint: str | None = Field(
        None,
        pattern="^https?://[^/]+$",
        description="Where traces go: an OpenTelemetry collector that takes OTLP over gRPC, "
        "http://host:4317. Needs the extra otel; without it no traces are made.",
    )
    trace_sample: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of the traces begun here that are recorded, from 0 to 1; a caller's "
        "trace is when its traceparent says so.",
    )
    drain_seconds: float = Field(
        0.0,
        ge=0,
        description="Time after SIGTERM in which requests are still taken while /readyz says no "
        "more, for a load balancer to notice.",
    )
    shutdown_grace_seconds: int = Field(
        35, ge=0, description="Time that requests in flight have to finish after that."
    )
    workers: int = Field(
        1,
        ge=1,
        le=256,
        description="Processes that answer. Each has its own connections and limits, and without a "
        "model server its own copy of the models; --admin-port shows their metrics together.",
    )
