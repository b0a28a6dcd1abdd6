"""The scenarios, in the order in which they run."""

from tests.torture.bench import Scenario
from tests.torture.scenarios import (
    drain,
    faults,
    hangups,
    hostile,
    keys,
    overload,
    parsers,
    schema,
    slow,
    soak,
    swaps,
)

SCENARIOS: tuple[Scenario, ...] = (
    parsers.SCENARIO,
    schema.SCENARIO,
    hostile.SCENARIO,
    keys.SCENARIO,
    hangups.SCENARIO,
    slow.SCENARIO,
    overload.SCENARIO,
    faults.SCENARIO,
    swaps.SCENARIO,
    drain.SCENARIO,
)
LONG = soak.SCENARIO
