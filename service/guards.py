"""Who may ask, and how often."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.types import Scope

from service.context import RequestContext
from service.edge import Guard
from service.errors import RateLimited, Unauthorized
from service.keys import KeyRing
from service.settings import Settings

# Callers remembered by their address; the one unheard of for longest is forgotten first.
_MAX_CALLERS = 10_000


class KeyGuard:
    """Lets in whoever brings a known API key, and notes its name.

    As `Authorization: Bearer <key>` or as `X-API-Key: <key>`, once.
    """

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def __call__(self, scope: Scope, context: RequestContext) -> None:
        """Look at a request."""
        brought = []
        for name, value in scope["headers"]:
            if name == b"x-api-key":
                brought.append(value)
            elif name == b"authorization":
                scheme, _, credentials = value.partition(b" ")
                brought.append(credentials.strip() if scheme.lower() == b"bearer" else b"")
        if not brought:
            raise Unauthorized(
                "no API key came; send it as 'Authorization: Bearer <key>' or 'X-API-Key: <key>'"
            )
        if len(brought) > 1:
            raise Unauthorized("more than one API key came; send one")
        context.caller = self._keys.name_of(brought[0].decode("latin-1"))
        if not context.caller:
            raise Unauthorized("the API key is not known here; it may have been revoked")


class RateGuard:
    """Bounds how often each caller may ask: each key, or without keys each address.

    A token bucket: so many requests at once, and then as many a second as flow in.

    Args:
        per_second: requests that flow in.
        burst: most that gather.
        clock: seconds, of any beginning.
    """

    def __init__(
        self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        # Of each caller: how many it had, and when.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __call__(self, scope: Scope, context: RequestContext) -> None:
        """Count a request."""
        client = scope.get("client")
        caller = f"key {context.caller}" if context.caller else str(client[0] if client else "")
        now = self._clock()
        had, before = self._buckets.pop(caller, (float(self._burst), now))
        has = min(self._burst, had + (now - before) * self._per_second)
        allowed = has >= 1
        self._buckets[caller] = (has - 1 if allowed else has, now)
        if len(self._buckets) > _MAX_CALLERS:
            self._buckets.popitem(last=False)
        if not allowed:
            raise RateLimited(
                f"more than {self._per_second:g} requests a second; Retry-After says when the next "
                "may come",
                retry_after_seconds=math.ceil((1 - has) / self._per_second),
            )


def guards_for(settings: Settings, keys: KeyRing) -> list[Guard]:
    """Return the guards that the settings ask for."""
    guards: list[Guard] = []
    if keys:
        guards.append(KeyGuard(keys))
    if settings.rate_limit_per_second is not None:
        guards.append(RateGuard(settings.rate_limit_per_second, settings.rate_limit_burst))
    return guards
