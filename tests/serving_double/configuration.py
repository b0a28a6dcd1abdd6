"""Which servables, which of their versions, and which labels."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2


@dataclass(frozen=True)
class ServableConfig:
    """One entry of a model server's configuration.

    Attributes:
        name: of the servable.
        folder: where its versions are.
        latest: how many of the newest versions to serve; None for no limit.
        versions: the only ones to serve; empty for any.
        labels: versions by label.
    """

    name: str
    folder: Path
    latest: int | None = 1
    versions: frozenset[int] = frozenset()
    labels: Mapping[str, int] = field(default_factory=dict)

    def choose(self, found: Iterable[int]) -> set[int]:
        """Return which of the versions in the folder are to be served."""
        if self.versions:
            return set(found) & self.versions
        newest_first = sorted(found, reverse=True)
        return set(newest_first[: self.latest])


def read_config_file(file: Path) -> list[ServableConfig]:
    """Read what the server takes as --model_config_file."""
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse(file.read_text(), config)
    return read_config(config)


def read_config(config: Any) -> list[ServableConfig]:
    """Read a ModelServerConfig."""
    return [_read_entry(entry) for entry in config.model_config_list.config]


def _read_entry(entry: Any) -> ServableConfig:
    policy = entry.model_version_policy
    choice = policy.WhichOneof("policy_choice")
    return ServableConfig(
        name=entry.name,
        folder=Path(entry.base_path),
        latest=None if choice == "all" else max(policy.latest.num_versions, 1),
        versions=frozenset(policy.specific.versions),
        labels=dict(entry.version_labels),
    )
