"""What the gateway knows of one servable: its versions, and which of them can be used."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np

from service.backend import Arrays, Backend, Call, SignatureSpec, VersionStatus
from service.calls import GuardedCalls
from service.canary import Canaries
from service.contract import Classifier, Warper
from service.errors import (
    ContractBroken,
    DeadlineExceeded,
    ModelServerError,
    ModelServerUnavailable,
    NotReady,
    Overloaded,
    ServiceError,
    UnknownVersion,
)
from service.options import Selector

log = logging.getLogger("stn_serving")

Model = TypeVar("Model", Classifier, Warper)
Model_co = TypeVar("Model_co", covariant=True)

_ASK_SECONDS = 5.0
# With a canary, before another is sent.
_PATIENCE_SECONDS = 1.0
_UNANSWERED = (ModelServerUnavailable, DeadlineExceeded)
_MAX_LABELS = 100


class ContractReader(Protocol[Model_co]):
    """Reads a version's contract; see `contract.read_classifier`."""

    def __call__(
        self,
        servable: str,
        version: int,
        signatures: Mapping[str, SignatureSpec],
        described: Arrays,
        /,
    ) -> Model_co:
        """Return the version, or raise `ContractBroken`."""


class Servable(Generic[Model]):
    """One servable.

    Args:
        backend: who runs it.
        name: what it is called there.
        read: reads a version's contract.
        canaries: the requests that try a version out.
        label_seconds: how long the version behind a label is taken for granted.
        calls: those of callers; told by the canaries whether there is a point in them.

    Attributes:
        name: its name.
        statuses: of all versions, as the backend last told.
        models: the versions that are AVAILABLE and honour the contract.
        problems: what is wrong with the others, by version.
        canary_at: when a canary last came back, by the event loop's clock.
        trouble: why it cannot be used right now; empty when it can.
        breaker: stops callers' calls; the canaries are its trials.
    """

    def __init__(
        self,
        backend: Backend,
        name: str,
        read: ContractReader[Model],
        canaries: Canaries[Model],
        label_seconds: float,
        calls: GuardedCalls,
    ) -> None:
        self.name = name
        self.breaker = calls.breakers[name]
        self.statuses: Sequence[VersionStatus] = ()
        self.models: dict[int, Model] = {}
        self.problems: dict[int, str] = {}
        self.canary_at = float("-inf")
        self.trouble = ""
        self._backend = backend
        self._read: ContractReader[Model] = read
        self._canaries: Canaries[Model] = canaries
        self._label_seconds = label_seconds
        self._labels: dict[str, tuple[int, float]] = {}
        self._was_away = False
        self._calls = calls
        self._has_stalled = False

    def latest(self) -> Model | None:
        """Return the highest version that honours the contract."""
        return self.models[max(self.models)] if self.models else None

    async def choose(self, selector: Selector) -> Model:
        """Return the version asked for.

        Raises:
            UnknownVersion: there is none of that number.
            UnknownLabel: there is none of that label.
            NotReady: there is none at all.
            ContractBroken: it is there, but not as the gateway needs it.
        """
        if selector.version is not None:
            return self._version(selector.version)
        if selector.label is not None:
            return self._version(await self._resolve(selector.label))
        model = self.latest()
        if model is None:
            raise self._not_ready()
        return model

    def why_not_ready(self) -> str:
        """Return a sentence on why no version can answer."""
        if self.trouble:
            return self.trouble
        if self.problems:
            return self.problems[max(self.problems)]
        states = ", ".join(f"version {s.version} is {s.state}" for s in self.statuses)
        return states or "there is no version"

    def forget_labels(self) -> None:
        """Look up each label anew when it is next asked for."""
        self._labels.clear()

    def labels(self) -> dict[str, int]:
        """Return the labels known, with their versions: told by the backend, or asked for."""
        told = {label: s.version for s in self.statuses for label in s.labels}
        return told | {label: version for label, (version, _) in self._labels.items()}

    async def refresh(self) -> None:
        """Ask the backend what there is, admit what is new, and send a canary."""
        self.breaker.trying()
        try:
            try:
                await self._refresh()
            except UnknownVersion:
                # It went between one question and the next.
                await self._refresh()
        except Overloaded:
            # Not news: it works, and how long ago a canary came back is known.
            pass
        except _UNANSWERED as error:
            self.trouble = error.detail
            self._has_stalled |= isinstance(error, DeadlineExceeded)
            self.breaker.failed()
            return
        except ServiceError as error:
            # An answer all the same: what is wrong with it, callers are told by their own.
            self.trouble = error.detail
        self.breaker.recovered()

    async def _refresh(self) -> None:
        try:
            self.statuses = await self._backend.versions(self.name)
        except Overloaded:
            raise
        except ServiceError:
            self._was_away = True
            raise
        try:
            await self._try_out()
        except ServiceError as error:
            raise error.within("a trial request failed") from error
        self.trouble = ""

    async def _try_out(self) -> None:
        available = {s.version for s in self.statuses if s.state == "AVAILABLE"}
        # After an absence the same number may stand for another model: read all of them anew.
        known_versions = set() if self._was_away else set(self.models)
        for version in sorted(available - known_versions):
            await self._admit(version)
        # Not before: while one version replaces another, there must always be one to choose.
        for known in (self.models, self.problems):
            for version in set(known) - available:
                del known[version]
        self._was_away = False
        model = self.latest()
        if model is not None:
            await self._send_canary(model)
            self.canary_at = asyncio.get_running_loop().time()

    async def _send_canary(self, model: Model) -> None:
        """Send a canary, and further ones while none is back.

        What a server was asked while it hung it may never answer; that it is well again shows only
        in something new. Then callers' calls from before are hopeless too.
        """
        sent: dict[asyncio.Task[None], float] = {}
        try:
            while True:
                now = asyncio.get_running_loop().time()
                canary = self._ask(model, now + _ASK_SECONDS, is_first=not sent)
                sent[asyncio.ensure_future(canary)] = now
                done, _ = await asyncio.wait(
                    sent, timeout=_PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                if done:
                    break
        finally:
            for task in sent:
                task.cancel()
        first = min(done, key=sent.__getitem__)
        await first
        if self._has_stalled or sent[first] > min(sent.values()):
            self._calls.give_up(self.name, sent_before=sent[first])
        self._has_stalled = False

    async def _ask(self, model: Model, deadline: float, is_first: bool) -> None:
        """Send one canary; while others are out, that there is no room for it says nothing.

        A server that hangs soon has all its threads taken, and refuses as one does that is busy.
        """
        try:
            await self._canaries.check(self._backend, model, deadline)
        except Overloaded:
            if is_first:
                raise
            await asyncio.Event().wait()

    async def _admit(self, version: int) -> None:
        try:
            signatures = await self._backend.signatures(self.name, version)
            described = await self._describe(version, signatures)
            model = self._read(self.name, version, signatures, described)
            await self._canaries.warm(self._backend, model, _soon())
        except ModelServerError as error:
            self.models.pop(version, None)
            if self.problems.get(version) != error.detail:
                log.error(
                    "%s version %d: %s %s", self.name, version, error.detail, error.log_detail
                )
            self.problems[version] = error.detail
        except DeadlineExceeded as error:
            if version in self.models or not self.models:
                raise
            # The versions in use must not suffer for a new one that hangs.
            self.problems[version] = f"its first trial request failed: {error.detail}"
        else:
            self.models[version] = model
            self.problems.pop(version, None)
            log.info("%s version %d is in use", self.name, version)

    async def _describe(self, version: int, signatures: Mapping[str, SignatureSpec]) -> Arrays:
        # A model server that batches this servable refuses signatures without rows of input.
        if "describe_batched" in signatures:
            outputs = tuple(signatures["describe_batched"].outputs)
            inputs = {"rows": np.zeros(1, np.uint8)}
            call = Call(self.name, version, "describe_batched", inputs, outputs)
            described = await self._backend.run(call, _soon())
            return {name: value[0] for name, value in described.items() if value.shape[:1] == (1,)}
        if "describe" in signatures:
            outputs = tuple(signatures["describe"].outputs)
            return await self._backend.run(
                Call(self.name, version, "describe", {}, outputs), _soon()
            )
        return {}

    async def _resolve(self, label: str) -> int:
        now = asyncio.get_running_loop().time()
        version, until = self._labels.get(label, (0, 0.0))
        if until <= now:
            version = await self._backend.resolve(self.name, label)
            if len(self._labels) >= _MAX_LABELS:
                self._labels.clear()
            self._labels[label] = (version, now + self._label_seconds)
        return version

    def _not_ready(self) -> NotReady:
        return NotReady(f"no version of {self.name} is ready: {self.why_not_ready()}")

    def _version(self, version: int) -> Model:
        if version in self.models:
            return self.models[version]
        if version in self.problems:
            raise ContractBroken(self.problems[version])
        if not self.models:
            raise self._not_ready()
        known = ", ".join(str(v) for v in sorted(self.models))
        raise UnknownVersion(f"{self.name} has no version {version} ready; it has {known}")


def _soon() -> float:
    return asyncio.get_running_loop().time() + _ASK_SECONDS
