"""A version goes into service on a real gRPC server, or everything stays as it was."""

import fcntl
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from model_export import promotion
from model_export.cli import main
from model_export.golden import read_golden
from model_export.labels import former_version, read_labels
from model_export.promotion import Stage
from model_export.serving_client import ModelServer
from model_export.serving_config import build_config, labels_in, read_config, write_config
from model_export.undo import PromotionError, Undo
from model_export.verify import ExportRefusedError
from tests.serving_double.batching import BatchingParameters
from tests.serving_double.configuration import read_config as read_entries
from tests.serving_double.faults import Fault
from tests.serving_double.server import Options, ServingDouble

TIMEOUT = 60.0


@dataclass
class Site:
    """A folder with version 1 of `stn`, called stable, and servers that serve it."""

    models: Path
    build: Path
    config_file: Path
    doubles: list[ServingDouble] = field(default_factory=list)
    servers: list[ModelServer] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def double(self) -> ServingDouble:
        return self.doubles[0]

    def add_server(self) -> None:
        double = ServingDouble(
            Options(
                configs=read_entries(read_config(self.config_file)),
                poll_seconds=0.05,
                batching_per_model=True,
                batching=BatchingParameters(),
            )
        )
        self.doubles.append(double)
        self.servers.append(ModelServer(f"127.0.0.1:{double.start()}"))

    def close(self) -> None:
        for server, double in zip(self.servers, self.doubles, strict=True):
            server.close()
            double.stop(grace_seconds=0)

    def stage(self, servable: str = "stn", label: str = "stable") -> Stage:
        config = read_config(self.config_file) if self.servers else None
        file = self.config_file if self.servers else None
        return Stage(self.models, servable, label, self.servers, config, file)

    def promote(self, version: int = 2, timeout_seconds: float = TIMEOUT) -> None:
        source = self.build / str(version)
        promotion.promote(source, version, self.stage(), timeout_seconds, self.said.append)

    def rollback(self) -> None:
        promotion.rollback(self.stage(), self.said.append)

    def fault(self, kind: str, **fault: Any) -> None:
        self.double.faults.add(Fault(kind, **fault))

    def build_version(self, number: int) -> Path:
        return Path(shutil.copytree(self.models / "stn" / "1", self.build / str(number)))

    def labels(self) -> list[int]:
        """What the label names, on each server."""
        return [server.labelled("stn", "stable") for server in self.servers]

    def files(self) -> dict[str, bytes]:
        """All there is on the disk."""
        return {
            str(path): path.read_bytes()
            for top in (self.models, self.config_file.parent)
            for path in top.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def free_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture
def folder_alone(models: Path, tmp_path: Path) -> Site:
    """Without a server."""
    site = Site(tmp_path / "models", tmp_path / "build" / "stn", tmp_path / "etc" / "models.config")
    shutil.copytree(models / "stn" / "1", site.models / "stn" / "1")
    (site.models / "stn" / "labels.json").write_text('{"stable": 1}')
    site.build_version(2)
    write_config(site.config_file.parent, build_config(site.models, str(site.models)))
    return site


@pytest.fixture
def site(folder_alone: Site) -> Iterator[Site]:
    """With one server, which batches `stn` and holds version 1."""
    folder_alone.add_server()
    yield folder_alone
    folder_alone.close()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def unchanged(site: Site) -> Callable[[], None]:
    """Check that files, labels and versions are those of before."""
    before = site.files()

    def check() -> None:
        assert site.files() == before
        assert names_in(site.models / "stn") == ["1", "labels.json"]
        assert site.labels() == [1] * len(site.servers)
        deadline = time.monotonic() + TIMEOUT
        for server in site.servers:
            while server.states("stn").get(2, ("END", ""))[0] != "END":
                assert time.monotonic() < deadline, "version 2 is still served"
                time.sleep(0.02)

    return check


# What goes well.


def test_a_promoted_version_answers_to_the_label(site: Site) -> None:
    site.promote()

    assert site.labels() == [2]
    assert read_labels(site.models / "stn") == {"stable": 2}
    assert labels_in(read_config(site.config_file), "stn") == {"stable": 2}
    # The former one goes on being served: requests in flight finish, and a rollback finds it.
    assert {v: s for v, (s, _) in site.servers[0].states("stn").items()} == {
        1: "AVAILABLE",
        2: "AVAILABLE",
    }


def test_what_is_in_place_is_what_was_exported(site: Site) -> None:
    site.promote()

    for path in (site.build / "2").rglob("*"):
        if path.is_file():
            copy = site.models / "stn" / "2" / path.relative_to(site.build / "2")
            assert copy.read_bytes() == path.read_bytes()
    assert names_in(site.models / "stn") == [
        "1",
        "2",
        "labels.history.json",
        "labels.json",
    ]


def test_the_label_moves_last(site: Site) -> None:
    """Whoever asks for the label meets the new version only after all checks."""
    site.promote()

    methods = [call["method"] for call in site.double.calls.take() if call["version"] != 1]
    assert methods.count("HandleReloadConfigRequest") == 1
    reload = methods.index("HandleReloadConfigRequest")
    assert methods[:reload].count("Predict") == 1 + len(read_golden(site.build / "2"))
    assert "Predict" not in methods[reload:]


def test_each_step_is_told(site: Site) -> None:
    site.promote()

    steps = ["golden answers", "in place", "is AVAILABLE", "golden answers", "names version 2"]
    lines = iter(site.said)
    for step in steps:
        assert any(step in line for line in lines), f"{step!r}, in this order: {site.said}"


def test_a_version_that_is_in_place_may_be_promoted(site: Site) -> None:
    shutil.copytree(site.build / "2", site.models / "stn" / "2")

    promotion.promote(site.models / "stn" / "2", 2, site.stage(), TIMEOUT, site.said.append)

    assert site.labels() == [2]


def test_a_label_that_is_new_can_be_given(site: Site) -> None:
    promotion.promote(site.build / "2", 2, site.stage(label="canary"), TIMEOUT, site.said.append)

    assert site.servers[0].labelled("stn", "canary") == 2
    assert site.labels() == [1]
    assert former_version(site.models / "stn", "canary") is None


def test_all_servers_take_part(site: Site) -> None:
    site.add_server()

    site.promote()

    assert site.labels() == [2, 2]


def test_other_servables_keep_their_labels(site: Site) -> None:
    text = site.config_file.read_text()
    other = text[text.index("  config {") : text.rindex("}")].replace('"stn"', '"other"')
    site.config_file.write_text(text.rstrip()[:-1] + other + "}")

    site.promote()

    config = read_config(site.config_file)
    assert labels_in(config, "other") == {"stable": 1}
    assert labels_in(config, "stn") == {"stable": 2}
    assert site.servers[0].labelled("other", "stable") == 1


@pytest.mark.slow
def test_the_transformer_alone_can_be_promoted(folder_alone: Site, models: Path) -> None:
    site = folder_alone
    shutil.copytree(models / "warp" / "1", site.models / "warp" / "1")
    write_config(site.config_file.parent, build_config(site.models, str(site.models)))
    site.add_server()

    promotion.promote(models / "warp" / "1", 2, site.stage("warp"), TIMEOUT, site.said.append)

    assert site.servers[0].labelled("warp", "stable") == 2
    assert site.labels() == [1]
    site.close()


# What goes wrong, at each step.


def test_a_version_that_answers_otherwise_than_at_export_is_never_shown(
    site: Site, unchanged: Callable[[], None]
) -> None:
    """Its weights are those of nothing: callers who name no version would get it at once."""
    variables = next((site.build / "2" / "variables").glob("*.data*"))
    variables.write_bytes(bytes(len(variables.read_bytes())))

    with pytest.raises((PromotionError, ExportRefusedError)):
        site.promote()

    unchanged()
    assert not [call for call in site.double.calls.take() if call["method"] == "Predict"]


def test_a_server_that_is_away_stops_it_before_anything_is_placed(
    site: Site, unchanged: Callable[[], None], free_port: int
) -> None:
    away = ModelServer(f"127.0.0.1:{free_port}")
    stage = Stage(
        site.models, "stn", "stable", [away], read_config(site.config_file), site.config_file
    )

    with pytest.raises(PromotionError, match="UNAVAILABLE"):
        promotion.promote(site.build / "2", 2, stage, TIMEOUT, site.said.append)

    away.close()
    unchanged()
    assert not any("in place" in line for line in site.said)


def test_a_server_that_cannot_load_it_ends_it_with_its_reason(
    site: Site, unchanged: Callable[[], None]
) -> None:
    (site.build / "2" / "batching_params.pbtxt").write_text(
        "max_batch_size { value: 4 } allowed_batch_sizes: 3"
    )

    with pytest.raises(PromotionError, match="Last entry in allowed_batch_sizes"):
        site.promote()

    unchanged()


def test_a_version_that_does_not_turn_available_in_time_is_taken_away(
    site: Site, unchanged: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.double.servables.pretend("stn", 2, "LOADING")
    wait_available = promotion._wait_available

    def once_it_is_seen(server: ModelServer, *arguments: Any) -> None:
        while 2 not in server.states("stn"):
            time.sleep(0.02)
        wait_available(server, *arguments)

    monkeypatch.setattr(promotion, "_wait_available", once_it_is_seen)
    with pytest.raises(PromotionError, match="it is LOADING"):
        site.promote(timeout_seconds=0.1)

    site.double.servables.pretend_nothing()
    unchanged()


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"kind": "metadata", "output": "theta"}, "'predict' has no 'theta'"),
        ({"kind": "metadata", "output": "images", "shape": [-1, -1, 42, 1]}, "must be uint8"),
        ({"kind": "metadata", "output": "warped", "number": 2}, "it is float64"),
        (
            {"kind": "value", "signature": "describe_batched", "output": "card", "text": "no"},
            "card is not a JSON object",
        ),
        (
            {"kind": "value", "signature": "describe_batched", "output": "card", "text": "{}"},
            "task must be",
        ),
        ({"kind": "version", "number": 1}, "version 1 of stn answered for version 2"),
    ],
)
def test_a_broken_contract_keeps_the_label_where_it_was(
    site: Site, unchanged: Callable[[], None], fault: dict[str, Any], sentence: str
) -> None:
    site.fault(**fault)

    with pytest.raises(PromotionError, match=sentence):
        site.promote()

    site.double.faults.clear()
    unchanged()


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"kind": "value", "output": "theta", "number": 0}, "'theta' of golden request 0 differs"),
        ({"kind": "nan", "output": "warped"}, "'warped' of golden request 6 differs by nan"),
        ({"kind": "shape", "output": "probabilities", "min_batch": 32}, "golden request 5 must be"),
        ({"kind": "missing", "output": "theta"}, "it is missing"),
        ({"kind": "garbage", "output": "theta"}, "cannot be read"),
        ({"kind": "error", "code": "INTERNAL", "min_batch": 32}, "Predict fails with INTERNAL"),
    ],
)
def test_a_wrong_golden_answer_keeps_the_label_where_it_was(
    site: Site, unchanged: Callable[[], None], fault: dict[str, Any], sentence: str
) -> None:
    site.fault(signature="predict", **fault)

    with pytest.raises(PromotionError, match=sentence):
        site.promote()

    site.double.faults.clear()
    unchanged()


def test_a_refused_reload_is_undone(site: Site, unchanged: Callable[[], None]) -> None:
    site.fault("error", method="HandleReloadConfigRequest", times=1, code="INTERNAL")

    with pytest.raises(PromotionError, match="HandleReloadConfigRequest fails with INTERNAL"):
        site.promote()

    unchanged()


def test_a_reload_that_does_nothing_is_found_out(
    site: Site, unchanged: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server says OK, and goes on as before."""
    monkeypatch.setattr(site.double.servables, "configure", lambda configs: None)

    with pytest.raises(PromotionError, match="must name version 2 after the reload; it names 1"):
        site.promote()

    unchanged()


def test_a_reload_to_a_path_that_is_not_there_is_found_out(site: Site) -> None:
    """A servable that the server was not asked for before, and cannot find: it answers OK."""
    text = site.config_file.read_text()
    more = text.replace(
        "model_config_list {",
        'model_config_list { config { name: "more" base_path: "/nowhere/more" }',
    )
    site.config_file.write_text(more)

    with pytest.raises(PromotionError, match="no AVAILABLE version of more after the reload"):
        site.promote()

    assert site.labels() == [1]
    assert site.config_file.read_text() == more
    assert not (site.models / "stn" / "2").exists()


def test_the_servers_before_the_one_that_fails_get_their_label_back(
    site: Site, unchanged: Callable[[], None]
) -> None:
    site.add_server()
    site.doubles[1].faults.add(Fault("error", method="HandleReloadConfigRequest", times=1))

    with pytest.raises(PromotionError, match="HandleReloadConfigRequest"):
        site.promote()

    unchanged()


def test_an_interrupt_is_undone_too(
    site: Site, unchanged: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(promotion, "_wait_available", interrupted)
    with pytest.raises(KeyboardInterrupt):
        site.promote()

    unchanged()


def test_a_version_that_was_in_place_before_stays_when_a_check_fails(site: Site) -> None:
    in_place = Path(shutil.copytree(site.build / "2", site.models / "stn" / "2"))
    site.fault("nan", output="theta")

    with pytest.raises(PromotionError):
        promotion.promote(in_place, 2, site.stage(), TIMEOUT, site.said.append)

    assert in_place.is_dir()
    assert site.labels() == [1]


def test_a_number_that_is_taken_is_refused(site: Site) -> None:
    shutil.copytree(site.build / "2", site.models / "stn" / "2")

    with pytest.raises(FileExistsError):
        site.promote()

    assert (site.models / "stn" / "2" / "saved_model.pb").is_file()
    assert site.labels() == [1]


def test_another_servables_version_is_refused(folder_alone: Site, models: Path) -> None:
    site = folder_alone
    before = site.files()

    with pytest.raises(PromotionError, match="exported as 'warp', not as 'stn'"):
        promotion.promote(models / "warp" / "1", 2, site.stage(), TIMEOUT, site.said.append)

    assert site.files() == before


def test_two_promotions_at_once_are_one_too_many(site: Site, unchanged: Callable[[], None]) -> None:
    other = os.open(site.models, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)

    with pytest.raises(PromotionError, match="another promotion"):
        site.promote()

    os.close(other)
    unchanged()


def test_what_cannot_be_undone_is_said() -> None:
    def fails() -> None:
        raise OSError("disk full")

    done: list[str] = []
    undo = Undo()

    def promote() -> None:
        with undo:
            undo.add("remove the version", lambda: done.append("removed"))
            undo.add("restore the label", fails)
            raise PromotionError("a golden answer differs")

    with pytest.raises(PromotionError, match=r"golden.*by hand: restore the label \(disk full\)"):
        promote()

    assert done == ["removed"]


# Back again.


def test_rollback_goes_back_the_way_the_label_came(site: Site) -> None:
    site.build_version(3)
    site.promote(2)
    site.promote(3)

    names = []
    for _ in range(2):
        site.rollback()
        names.append((site.labels(), read_labels(site.models / "stn")))

    assert names == [([2], {"stable": 2}), ([1], {"stable": 1})]
    assert sorted(p.name for p in (site.models / "stn").iterdir() if p.is_dir()) == ["1", "2", "3"]
    with pytest.raises(PromotionError, match="named no other version before"):
        site.rollback()


def test_a_label_that_only_the_servers_know_is_found_again(site: Site) -> None:
    """Written into models.config by hand, and never promoted."""
    (site.models / "stn" / "labels.json").unlink()

    site.promote()
    site.rollback()

    assert site.labels() == [1]


def test_a_version_promoted_again_is_forgotten_once_at_a_time(folder_alone: Site) -> None:
    """1, 2, 1, 2: three steps lead back to the first."""
    site = folder_alone
    for version in (2, 1, 2):
        folder = site.models / "stn" / str(version)
        source = folder if folder.exists() else site.build / str(version)
        promotion.promote(source, version, site.stage(), TIMEOUT, site.said.append)

    names = []
    for _ in range(3):
        site.rollback()
        names.append(read_labels(site.models / "stn")["stable"])

    assert names == [1, 2, 1]


def test_rollback_to_a_version_that_is_not_available_changes_nothing(site: Site) -> None:
    site.promote()
    before = site.files()
    site.double.servables.pretend("stn", 1, "UNLOADING")

    with pytest.raises(PromotionError, match="version 1 is UNLOADING"):
        site.rollback()

    assert site.files() == before
    assert site.labels() == [2]


def test_rollback_to_a_version_that_was_removed_changes_nothing(site: Site) -> None:
    site.promote()
    shutil.rmtree(site.models / "stn" / "1")

    with pytest.raises(PromotionError, match="version 1 before, which is no longer in"):
        site.rollback()

    assert site.labels() == [2]


def test_a_rollback_that_a_server_refuses_is_undone(site: Site) -> None:
    site.promote()
    before = site.files()
    site.fault("error", method="HandleReloadConfigRequest", times=1)

    with pytest.raises(PromotionError, match="HandleReloadConfigRequest"):
        site.rollback()

    assert site.files() == before
    assert site.labels() == [2]


# For the embedded backend.


def test_without_a_server_the_folder_alone_changes(folder_alone: Site) -> None:
    site = folder_alone
    site.promote()

    assert read_labels(site.models / "stn") == {"stable": 2}
    assert (site.models / "stn" / "2" / "saved_model.pb").is_file()
    assert "when they start" in site.said[-1]
    site.rollback()
    assert read_labels(site.models / "stn") == {"stable": 1}


def test_without_a_server_a_bad_version_is_refused_all_the_same(folder_alone: Site) -> None:
    site = folder_alone
    (site.build / "2" / "variables" / "variables.index").unlink()
    before = site.files()

    with pytest.raises((PromotionError, ExportRefusedError)):
        site.promote()

    assert site.files() == before


# The command line.


def test_promote_and_rollback_on_the_command_line(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = ["--models", str(site.models), "--server", site.servers[0].address]
    stage += ["--config", str(site.config_file)]

    assert main(["promote", str(site.build / "2"), *stage]) == 0
    assert site.labels() == [2]
    assert main(["rollback", *stage]) == 0
    assert site.labels() == [1]
    assert main(["rollback", *stage]) == 1
    error = capsys.readouterr().err
    assert error == (
        "stn-model: error: 'stable' of stn named no other version before. "
        "'stn-model promote --version N' lets it name one.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["promote"], "which version?"),
        (["promote", "--version", "7"], "holds no saved_model.pb"),
        (["promote", "--version", "1", "--server", "127.0.0.1:1"], "--server needs --config"),
        (["promote", "--version", "1", "--label", "a b"], "a label is letters"),
        (["rollback", "--config", "nowhere/models.config"], "nowhere/models.config"),
        (["promote", "--version", "1", "--models", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_done_ends_with_two(
    folder_alone: Site,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
) -> None:
    before = folder_alone.files()
    command, *options = arguments

    assert main([command, "--models", str(folder_alone.models), *options]) == 2

    assert sentence in capsys.readouterr().err
    assert folder_alone.files() == before
