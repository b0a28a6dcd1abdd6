"""Callers that ask again and again, at their own pace or at a given rate."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from tests.torture.client import Answer, Connection, Lost
from tests.torture.table import percentile

Address = tuple[str, int]


@dataclass(frozen=True)
class Shot:
    """A request, and whether a 200 to it is right.

    Attributes:
        request: as sent.
        is_right: judges the answer.
    """

    request: bytes
    is_right: Callable[[Answer], bool] = lambda _: True


@dataclass
class Tally:
    """What callers saw.

    Attributes:
        seconds: how long the answers took, by status.
        codes: how often each status and code came.
        details: what the refusals said.
        wrong: answers of 200 that were not right.
        lost: connections that ended without an answer, by reason.
        last_bad: when, by the event loop's clock, the last answer came that was not a 200.
    """

    seconds: dict[int, list[float]] = field(default_factory=dict)
    codes: Counter[str] = field(default_factory=Counter)
    details: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    last_bad: float = 0.0

    def note(self, shot: Shot, answer: Answer, seconds: float) -> None:
        """Count an answer."""
        self.seconds.setdefault(answer.status, []).append(seconds)
        if answer.status == 200:
            self.codes["200"] += 1
            self.wrong += not shot.is_right(answer)
        else:
            self.codes[f"{answer.status} {answer.code}".strip()] += 1
            self.details[answer.detail] += 1
            self.last_bad = asyncio.get_running_loop().time()

    def note_lost(self, reason: str) -> None:
        """Count a connection that ended without an answer."""
        self.lost[reason] += 1
        self.last_bad = asyncio.get_running_loop().time()

    def add(self, other: "Tally") -> None:
        """Take over what another one counted."""
        for status, times in other.seconds.items():
            self.seconds.setdefault(status, []).extend(times)
        self.codes += other.codes
        self.details += other.details
        self.wrong += other.wrong
        self.lost += other.lost
        self.last_bad = max(self.last_bad, other.last_bad)

    @property
    def good(self) -> int:
        """How many were answered with 200."""
        return len(self.seconds.get(200, ()))

    @property
    def total(self) -> int:
        """How many were answered at all."""
        return sum(len(times) for times in self.seconds.values())

    @property
    def slowest(self) -> float:
        """The longest that any answer took."""
        return max((max(times) for times in self.seconds.values()), default=0.0)

    def p99(self, status: int = 200) -> float:
        """The 99th percentile of the answers of a status."""
        return percentile(self.seconds.get(status, []), 0.99)

    @property
    def p50_refused(self) -> float:
        """The median of the refusals, 429 and 503; 0 when there was none."""
        return percentile([*self.seconds.get(429, ()), *self.seconds.get(503, ())], 0.5)

    def in_words(self) -> str:
        """Return how often each status and code came."""
        lost = {"lost": sum(self.lost.values())} if self.lost else {}
        counts = {**dict(self.codes.most_common()), **lost}
        return ", ".join(f"{name}: {count:,}" for name, count in counts.items()) or "nothing"


@contextlib.asynccontextmanager
async def callers(
    address: Address, shots: Sequence[Shot], count: int, pause: float = 0.02
) -> AsyncIterator[Tally]:
    """Let so many callers ask, each on a connection of its own, until left.

    Args:
        address: of the gateway.
        shots: what they ask, in turn.
        count: of callers.
        pause: how long one waits after an answer that was not 200, in seconds.
    """
    tally, stop = Tally(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for first in range(count):
            group.create_task(_call(address, shots, first, stop, tally, pause))
        try:
            yield tally
        finally:
            stop.set()


async def _call(
    address: Address,
    shots: Sequence[Shot],
    turn: int,
    stop: asyncio.Event,
    tally: Tally,
    pause: float,
) -> None:
    connection: Connection | None = None
    while not stop.is_set():
        shot = shots[turn % len(shots)]
        turn += 1
        try:
            if connection is None or not connection.is_open:
                connection = await Connection.to(address)
            answer = await _ask(connection, shot, tally)
            if answer.status != 200:
                await asyncio.sleep(pause)
        except (Lost, OSError) as error:
            tally.note_lost(str(error.args[0] if error.args else error))
            connection = None
            await asyncio.sleep(pause)
    if connection is not None:
        connection.hang_up()


async def _ask(
    connection: Connection, shot: Shot, tally: Tally, since: float | None = None
) -> Answer:
    loop = asyncio.get_running_loop()
    start = loop.time() if since is None else since
    answer = await connection.ask(shot.request)
    tally.note(shot, answer, loop.time() - start)
    if answer.closes:
        connection.hang_up()
    return answer


async def ask_at_rate(
    address: Address, shots: Sequence[Shot], rate: float, seconds: float, most_open: int = 1000
) -> Tally:
    """Ask so many times a second, whether or not answers come: an open loop.

    A request counts from when it was due, not from when it was sent: who waits in the client waits
    all the same. Connections are used again when they are idle.

    Args:
        address: of the gateway.
        shots: what is asked, in turn.
        rate: requests a second.
        seconds: for how long.
        most_open: more connections are not opened; who finds none waits.
    """
    loop = asyncio.get_running_loop()
    tally = Tally()
    idle: list[Connection] = []
    places = asyncio.Semaphore(most_open)

    async def ask(shot: Shot, due: float) -> None:
        async with places:
            connection = None
            while idle and connection is None:
                candidate = idle.pop()
                connection = candidate if candidate.is_open else None
            try:
                connection = connection or await Connection.to(address)
                await _ask(connection, shot, tally, due)
            except (Lost, OSError) as error:
                tally.note_lost(str(error.args[0] if error.args else error))
            else:
                if connection.is_open:
                    idle.append(connection)

    start, sent = loop.time(), 0
    async with asyncio.TaskGroup() as group:
        while (now := loop.time()) < start + seconds:
            while sent < (now - start) * rate:
                group.create_task(ask(shots[sent % len(shots)], start + sent / rate))
                sent += 1
            await asyncio.sleep(0.001)
    for connection in idle:
        connection.hang_up()
    return tally
