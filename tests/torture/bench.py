"""What a scenario works with: a gateway, sizes, a seed, and someone to tell how far it is."""

import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.torture.rig import Rig, start_rig
from tests.torture.table import Row


@dataclass(frozen=True)
class Sizes:
    """How much is thrown.

    Attributes:
        hostile: inputs.
        overload_seconds: of overload.
        measure_seconds: for which capacity and normal times are measured.
        faults: rounds of each fault of the model server.
        recovery_seconds: for which callers watch on after each.
        swaps: of versions.
        drains: by SIGTERM under load.
        slow: connections, slow or half open.
        slow_seconds: for which they are held.
        hangups: callers that hang up.
        key_tries: of wrong keys.
        timing_tries: compares that are timed.
        schema_examples: for each operation of the OpenAPI document.
        fuzz_seconds: for each parser.
        soak_seconds: of mixed traffic.
    """

    hostile: int = 20_000
    overload_seconds: float = 60.0
    measure_seconds: float = 10.0
    faults: int = 20
    recovery_seconds: float = 2.0
    swaps: int = 20
    drains: int = 50
    slow: int = 500
    slow_seconds: float = 20.0
    hangups: int = 10_000
    key_tries: int = 2_000
    timing_tries: int = 4_000
    schema_examples: int = 50
    fuzz_seconds: float = 5.0
    soak_seconds: float = 3600.0


FULL = Sizes()
# Enough to see that a scenario works and to catch what breaks it grossly.
QUICK = Sizes(
    hostile=1_500,
    overload_seconds=3.0,
    measure_seconds=1.0,
    faults=1,
    recovery_seconds=0.2,
    swaps=1,
    drains=2,
    slow=50,
    slow_seconds=1.0,
    hangups=300,
    key_tries=100,
    timing_tries=300,
    schema_examples=10,
    fuzz_seconds=2.0,
    soak_seconds=20.0,
)


@dataclass
class Bench:
    """The place where scenarios run on one backend.

    Attributes:
        backend: `embedded` or `gRPC`.
        models: folder of the models.
        scratch: a folder to write to.
        sizes: how much is thrown.
        seed: of all that is drawn at random.
        patient: whether gateways get limits that no slow machine reaches.
        progress: told what has been done, of how much.
    """

    backend: str
    models: Path
    scratch: Path
    sizes: Sizes
    seed: int = 1
    patient: bool = False
    progress: Callable[[int, int], None] = lambda done, of: None
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _rig: Rig | None = None

    def rig(self) -> Rig:
        """Return a gateway with its settings as they come, shared by all scenarios."""
        if self._rig is None or not self._rig.is_alive():
            self._stack.close()
            self._rig = self._stack.enter_context(
                start_rig(self.backend, self.models, patient=self.patient)
            )
        return self._rig

    def close(self) -> None:
        """Stop what runs."""
        self._rig = None
        self._stack.close()


Play = Callable[[Bench], Coroutine[Any, Any, list[Row]]]


@dataclass(frozen=True)
class Scenario:
    """One thing that is thrown at the gateway.

    Attributes:
        name: for `--only`.
        play: throws it.
        backends: on which it makes sense.
    """

    name: str
    play: Play
    backends: tuple[str, ...] = ("embedded", "gRPC")
