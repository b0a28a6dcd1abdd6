"""What `serving-config`, `promote` and `rollback` do with their options."""

import re
import shlex
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from model_export import promotion
from model_export.serving_client import ModelServer
from model_export.serving_config import (
    build_config,
    find_servables,
    read_config,
    server_flags,
    write_config,
)

_LABEL = r"[A-Za-z0-9][A-Za-z0-9._-]*"


def serving_config(options: Namespace) -> None:
    """Write the configuration, and print the command line that goes with it."""
    labels = _read_labels(options.label, options.models)
    write_config(options.out, build_config(options.models, options.base_path, labels))
    flags = (shlex.quote(flag) for flag in server_flags(options.out))
    _say(" \\\n  ".join(["tensorflow_model_server", *flags]))


def promote(options: Namespace) -> None:
    """Put a version into service."""
    version: int | None = options.version
    source: Path | None = options.source
    if version is None and source is not None and source.resolve().name.isdecimal():
        version = int(source.resolve().name)
    if version is None or version < 1:
        raise ValueError("which version? Name a folder such as build/stn/3, or give --version N")
    if source is None:
        source = options.models / options.servable / str(version)
    if not (source / "saved_model.pb").is_file():
        raise FileNotFoundError(f"{source} holds no saved_model.pb; 'stn-model export' writes one")
    with _stage(options) as stage:
        promotion.promote(source, version, stage, options.timeout, _say)


def rollback(options: Namespace) -> None:
    """Move a label back."""
    with _stage(options) as stage:
        promotion.rollback(stage, _say)


@contextmanager
def _stage(options: Namespace) -> Iterator[promotion.Stage]:
    if not re.fullmatch(_LABEL, options.label):
        raise ValueError(f"a label is letters, digits, '.', '-' and '_'; got {options.label!r}")
    if not options.models.is_dir():
        raise FileNotFoundError(f"{options.models} is not a folder of servables")
    config = None
    if options.config is not None:
        config = read_config(options.config)
    elif options.base_path is not None:
        config = build_config(options.models, options.base_path)
    elif options.server:
        raise ValueError(
            "--server needs --config FILE, or --base-path: a server takes labels only with all of "
            "its configuration, and would give up what is not in it"
        )
    with ExitStack() as stack:
        servers = [stack.enter_context(closing(ModelServer(a))) for a in options.server]
        yield promotion.Stage(
            options.models, options.servable, options.label, servers, config, options.config
        )


def _read_labels(texts: list[str], models: Path) -> dict[str, dict[str, int]]:
    labels: dict[str, dict[str, int]] = {}
    for text in texts:
        match = re.fullmatch(rf"(?:([^:=]+):)?({_LABEL})=([0-9]+)", text)
        if match is None:
            raise ValueError(f"--label must be LABEL=N or SERVABLE:LABEL=N; got {text!r}")
        name, label, number = match.groups()
        named = [name] if name else [folder.name for folder in find_servables(models)]
        for servable in named:
            labels.setdefault(servable, {})[label] = int(number)
    return labels


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
