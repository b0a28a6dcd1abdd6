"""A version goes into service, and a label moves: in steps that are all taken back if one fails."""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from model_export.golden import compare_golden, read_golden
from model_export.labels import (
    HISTORY,
    LABELS,
    former_version,
    move_label,
    move_label_back,
    read_labels,
    replace_text,
)
from model_export.serving_client import ModelServer, UnreachableError
from model_export.serving_config import labels_in, render_config
from model_export.serving_contract import check_contract
from model_export.session_model import SessionModel
from model_export.undo import PromotionError, Undo
from model_export.verify import refusing
from model_export.version_folder import written_whole
from model_export.warmup import predict_request, read_warmup, replay

Say = Callable[[str], None]

_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Stage:
    """Where versions go into service.

    Attributes:
        models: the folder of servables.
        servable: one of them.
        label: that is to name a version of it.
        servers: that serve the folder; none when an embedded backend does.
        config: what the servers were started with, needed when there are some.
        config_file: the models.config to keep in step, if there is one.
    """

    models: Path
    servable: str
    label: str
    servers: Sequence[ModelServer] = ()
    config: ModelServerConfig | None = None
    config_file: Path | None = None

    @property
    def folder(self) -> Path:
        """The servable's folder."""
        return self.models / self.servable

    def labelled(self) -> int | None:
        """Return the version that the label names now, None when it names none."""
        in_config = {} if self.config is None else labels_in(self.config, self.servable)
        named = in_config.get(self.label) or read_labels(self.folder).get(self.label)
        return None if named is None else int(named)


def promote(source: Path, version: int, stage: Stage, timeout_seconds: float, say: Say) -> None:
    """Put a version into service and let the label name it, or leave everything as it was.

    Args:
        source: the version's folder; copied into place unless it is there.
        version: its number.
        stage: where.
        timeout_seconds: for the servers to load it.
        say: told what has been done.

    Raises:
        FileNotFoundError, FileExistsError: the source is not complete, or the number is taken.
        PromotionError, ExportRefusedError: a step failed, and those before it were undone.
    """
    target = stage.folder / str(version)
    with _alone(stage.models), Undo() as undo:
        stage.labelled()
        _check_folder(source, stage.servable)
        say(f"{source}: honours the contract and gives its golden answers")
        for server in stage.servers:
            server.states(stage.servable)
        if source.resolve() != target.resolve():
            _place(source, target, undo)
            say(f"{target}: in place")
        deadline = time.monotonic() + timeout_seconds
        for server in stage.servers:
            _wait_available(server, stage.servable, version, deadline, say)
            difference = _check_served(server, stage.servable, version, target)
            say(
                f"{server.address}: {stage.servable} version {version} honours the contract and "
                f"gives its golden answers, off by at most {difference:.1g}"
            )
        _move(stage, version, undo, back=False)
        say(_moved(stage, version))


def rollback(stage: Stage, say: Say) -> None:
    """Let the label name the version that it named before.

    Raises:
        PromotionError: there is none, or it is not served; nothing has changed.
    """
    with _alone(stage.models), Undo() as undo:
        version = former_version(stage.folder, stage.label)
        if version is None:
            raise PromotionError(
                f"{stage.label!r} of {stage.servable} named no other version before. "
                "'stn-model promote --version N' lets it name one."
            )
        if not (stage.folder / str(version)).is_dir():
            raise PromotionError(
                f"{stage.label!r} of {stage.servable} named version {version} before, which is no "
                f"longer in {stage.folder}"
            )
        for server in stage.servers:
            state, _ = server.states(stage.servable).get(version, ("unknown to it", ""))
            if state != "AVAILABLE":
                raise PromotionError(
                    f"{server.address}: {stage.servable} version {version} is {state}, not "
                    "AVAILABLE"
                )
        _move(stage, version, undo, back=True)
        say(_moved(stage, version))


@contextmanager
def _alone(models: Path) -> Iterator[None]:
    """Keep others from promoting in the same folder meanwhile."""
    folder = os.open(models, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise PromotionError(f"another promotion is at work in {models}") from error
    finally:
        os.close(folder)


def _check_folder(folder: Path, servable: str) -> None:
    """Check a version before any server sees it: callers who name no version get the newest."""
    requests, golden = read_warmup(folder), read_golden(folder)
    if any(request.model_spec.name != servable for request in requests):
        name = requests[0].model_spec.name
        raise PromotionError(f"{folder} was exported as {name!r}, not as {servable!r}")
    with refusing("the v1 loader in a Session"), SessionModel(folder) as model:
        check_contract(model.signatures, model.run)
        compare_golden(golden, replay(requests, model))


def _check_served(server: ModelServer, servable: str, version: int, folder: Path) -> float:
    """Check a version as a server serves it; return how far its golden answers are off."""

    def ask(signature: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        return server.predict(predict_request(servable, signature, inputs), servable, version)

    check_contract(server.signatures(servable, version), ask)
    answers = [server.predict(request, servable, version) for request in read_warmup(folder)]
    return compare_golden(read_golden(folder), answers)


def _place(source: Path, target: Path, undo: Undo) -> None:
    is_first = not target.parent.exists()
    with written_whole(target) as hidden:
        shutil.copytree(source, hidden, dirs_exist_ok=True)

    def remove() -> None:
        gone = target.with_name(f".{target.name}.gone")
        target.rename(gone)
        shutil.rmtree(gone)
        if is_first:
            with suppress(OSError):
                target.parent.rmdir()

    undo.add(f"remove {target}", remove)


def _wait_available(
    server: ModelServer, servable: str, version: int, deadline: float, say: Say
) -> None:
    said = ""
    while True:
        try:
            state, message = server.states(servable).get(version, ("not found yet", ""))
        except UnreachableError:
            state, message = "out of sight: the server cannot be reached", ""
        if state != said:
            said = state
            say(f"{server.address}: {servable} version {version} is {state}")
        if state == "AVAILABLE":
            return
        if state == "END" and message:
            raise PromotionError(
                f"{server.address} cannot load {servable} version {version}: {message}"
            )
        if time.monotonic() > deadline:
            raise PromotionError(
                f"{server.address}: {servable} version {version} did not turn AVAILABLE in time; "
                f"it is {state}. Does the server watch this folder? --timeout gives it longer."
            )
        time.sleep(_POLL_SECONDS)


def _move(stage: Stage, version: int, undo: Undo, back: bool) -> None:
    """Let the label name a version: in the files, and then on the servers."""
    former = stage.labelled()
    for server in stage.servers:
        step = partial(server.reload, stage.config)
        undo.add(f"give {server.address} its former configuration", step)
    for path in (stage.folder / LABELS, stage.folder / HISTORY, stage.config_file):
        if path is not None:
            undo.add(f"restore {path}", _restorer(path))
    if back:
        move_label_back(stage.folder, stage.label, version)
    else:
        move_label(stage.folder, stage.label, version, former)
    if stage.config is None:
        return
    config = ModelServerConfig()
    config.CopyFrom(stage.config)
    labels_in(config, stage.servable)[stage.label] = version
    if stage.config_file is not None:
        replace_text(stage.config_file, render_config(config))
    for server in stage.servers:
        server.reload(config)
        _check_label(server, stage, version, config)


def _check_label(
    server: ModelServer, stage: Stage, version: int, config: ModelServerConfig
) -> None:
    """See that a server did what it was told: it answers OK even to paths that do not exist."""
    named = server.labelled(stage.servable, stage.label)
    if named != version:
        raise PromotionError(
            f"{server.address}: {stage.label!r} of {stage.servable} must name version {version} "
            f"after the reload; it names {named}"
        )
    for entry in config.model_config_list.config:
        if not any(state == "AVAILABLE" for state, _ in server.states(entry.name).values()):
            raise PromotionError(
                f"{server.address} has no AVAILABLE version of {entry.name} after the reload. Is "
                f"{entry.base_path} where it sees the models?"
            )


def _restorer(path: Path) -> Callable[[], None]:
    content = path.read_text(encoding="utf-8") if path.is_file() else None

    def restore() -> None:
        if content is None:
            path.unlink(missing_ok=True)
        else:
            replace_text(path, content)

    return restore


def _moved(stage: Stage, version: int) -> str:
    moved = f"{stage.label!r} of {stage.servable} names version {version}"
    if stage.servers:
        return moved
    return f"{moved}; gateways with an embedded backend read that when they start"
