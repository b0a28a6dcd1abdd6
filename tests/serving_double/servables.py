"""Servables, their versions and the states that these go through."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tensorflow as tf

from tests.serving_double import refusals
from tests.serving_double.batching import Batcher, BatchingParameters
from tests.serving_double.configuration import ServableConfig
from tests.serving_double.saved_model import SavedModel

STATES = {"START": 10, "LOADING": 20, "AVAILABLE": 30, "UNLOADING": 40, "END": 50}


@dataclass
class Version:
    """One version of a servable, now or in the past.

    Attributes:
        name: of the servable.
        number: of the version.
        state: one of STATES.
        error_code: of gRPC, 0 unless loading failed.
        error_message: why.
        model: while there is one.
        batcher: where calls of the model gather, if they do.
    """

    name: str
    number: int
    state: str = "START"
    error_code: int = 0
    error_message: str = ""
    model: SavedModel | None = None
    batcher: Batcher | None = None

    def load(self, folder: Path, parameters: BatchingParameters | None) -> None:
        """Go from START to AVAILABLE, or to END with the reason."""
        self.state = "LOADING"
        try:
            self.model = SavedModel(folder)
        except (tf.errors.OpError, OSError, ValueError) as error:
            # The last of them when files go meanwhile.
            self.fail(getattr(error, "error_code", tf.errors.UNKNOWN), str(error))
            return
        if parameters is not None:
            self.batcher = Batcher(self.model.run, parameters)
        self.state = "AVAILABLE"

    def is_gone(self) -> bool:
        """Tell whether it was unloaded, and would be loaded if it came back."""
        return self.state == "END" and not self.error_code

    def fail(self, code: int, message: str) -> None:
        """Go to END because loading failed."""
        self.state, self.error_code, self.error_message = "END", code, message

    def unload(self) -> None:
        """Go to END; calls that run still finish."""
        self.state = "UNLOADING"
        if self.batcher is not None:
            self.batcher.close()
        self.model = self.batcher = None
        self.state = "END"


class Servables:
    """All servables of a server, kept in step with their folders.

    Args:
        configs: what to serve.
        batching: the parameters for a version in this folder, or None for no batching.
        labels_before_available: whether a new label may point to a version that is not served.

    Raises:
        Refusal: a label points to a version that is not available.
    """

    def __init__(
        self,
        configs: Iterable[ServableConfig],
        batching: Callable[[Path], BatchingParameters | None],
        labels_before_available: bool = True,
    ) -> None:
        self._batching = batching
        self._labels_before_available = labels_before_available
        self._configs: dict[str, ServableConfig] = {}
        self._labels: dict[str, Mapping[str, int]] = {}
        self._versions: dict[str, dict[int, Version]] = {}
        self._overrides: dict[tuple[str, int], str] = {}
        self._lock = threading.Lock()
        self.configure(configs)

    def configure(self, configs: Iterable[ServableConfig]) -> None:
        """Serve these from now on, and no others.

        Raises:
            Refusal: a label in use would point to a version that is not available.
        """
        self._configs = {config.name: config for config in configs}
        self.poll()
        for name, config in self._configs.items():
            before = self._labels.get(name, {})
            for label, number in config.labels.items():
                unused = label not in before and self._labels_before_available
                if not unused and self.state(name, number) != "AVAILABLE":
                    raise refusals.label_not_available(name, number)
            self._labels[name] = config.labels

    def poll(self) -> None:
        """Load what has appeared in the folders, then unload what has gone."""
        with self._lock:
            for config in self._configs.values():
                self._follow(config)
            for name in set(self._versions) - set(self._configs):
                self._unload_all_but(name, set())

    def version(self, spec: Any) -> Version:
        """Return the version that a ModelSpec asks for.

        Raises:
            Refusal: there is none.
        """
        if not spec.name:
            raise refusals.no_name()
        number = self._number(spec)
        if number is None:
            available = [v.number for v in self.versions(spec.name) if self._is_served(v)]
            number = max(available, default=None)
        version = self._versions.get(spec.name, {}).get(-1 if number is None else number)
        # As it is now: it may be unloaded while the caller still uses it.
        version = None if version is None else replace(version)
        if version is None or not self._is_served(version):
            raise refusals.no_servable(spec.name, self._number(spec))
        return version

    def matching(self, spec: Any) -> list[Version]:
        """Return the versions that a question for their states means, the newest first.

        Raises:
            Refusal: there are none.
        """
        versions = self.versions(spec.name)
        number = self._number(spec)
        if number is not None:
            versions = [version for version in versions if version.number == number]
            if not versions:
                raise refusals.no_version(spec.name, number)
        if not versions:
            raise refusals.no_versions(spec.name)
        return versions

    def versions(self, name: str) -> list[Version]:
        """Return every version that was ever served, the newest first."""
        versions = self._versions.get(name, {})
        return [versions[number] for number in sorted(versions, reverse=True)]

    def state(self, name: str, number: int) -> str | None:
        """Return the state of a version as it is told to clients."""
        version = self._versions.get(name, {}).get(number)
        if version is None:
            return None
        return self._overrides.get((name, number), version.state)

    def pretend(self, name: str, number: int, state: str | None) -> None:
        """Tell clients another state, and serve accordingly; None for the true one again."""
        if state is None:
            self._overrides.pop((name, number), None)
        else:
            self._overrides[name, number] = state

    def pretend_nothing(self) -> None:
        """Tell clients the true states of all versions again."""
        self._overrides.clear()

    def _number(self, spec: Any) -> int | None:
        choice = spec.WhichOneof("version_choice")
        if choice == "version_label":
            labels = self._labels.get(spec.name, {})
            if spec.version_label not in labels:
                raise refusals.no_label(spec.version_label)
            return labels[spec.version_label]
        return int(spec.version.value) if choice == "version" else None

    def _is_served(self, version: Version) -> bool:
        state = self.state(version.name, version.number)
        return version.model is not None and state == "AVAILABLE"

    def _follow(self, config: ServableConfig) -> None:
        if not config.folder.is_dir():
            return  # What is served stays.
        found = {
            int(folder.name)
            for folder in config.folder.iterdir()
            if folder.name.isascii() and folder.name.isdigit() and folder.is_dir()
        }
        wanted = config.choose(found)
        versions = self._versions.setdefault(config.name, {})
        for number in sorted(wanted):
            if number not in versions or versions[number].is_gone():
                self._load(config, number)
        self._unload_all_but(config.name, wanted)

    def _load(self, config: ServableConfig, number: int) -> None:
        version = self._versions[config.name][number] = Version(config.name, number)
        folder = config.folder / str(number)
        try:
            parameters = self._batching(folder)
        except ValueError as error:
            version.fail(tf.errors.INVALID_ARGUMENT, str(error))
        else:
            version.load(folder, parameters)

    def _unload_all_but(self, name: str, wanted: set[int]) -> None:
        for version in self._versions[name].values():
            if version.number in wanted:
                continue
            if version.state == "AVAILABLE":
                version.unload()
            version.error_code, version.error_message = 0, ""
