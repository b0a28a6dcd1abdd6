"""API keys: who may ask, known by name.

Only hashes are stored. A plain SHA-256 suffices, and a slow password hash would only cost time: a
key made here has 256 random bits, which no guessing finds, whatever each guess costs.
"""

import asyncio
import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

log = logging.getLogger("stn_serving")

_PREFIX = "stn_"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")

Keys = tuple[tuple[str, bytes], ...]
"""Name and hash of each key. Several may have one name, so that one can replace another."""


def new_key() -> str:
    """Return a new key: `stn_` and 43 characters."""
    return _PREFIX + secrets.token_urlsafe(32)


def line_for(name: str, key: str) -> str:
    """Return the line that lets a key in: `name:sha256`.

    Raises:
        ValueError: the name is not one.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"a name has 1 to 64 of the characters A-Z a-z 0-9 . _ -; got {name!r}")
    return f"{name}:{hashlib.sha256(key.encode()).hexdigest()}"


def read_keys(lines: Iterable[str]) -> Keys:
    """Read lines `name:sha256`; empty ones, and what follows a `#`, do not count.

    Raises:
        ValueError: a line is something else. Never says what, for it might be a key itself.
    """
    keys = []
    for number, line in enumerate(lines, 1):
        name, _, digest = line.partition("#")[0].strip().partition(":")
        if not name and not digest:
            continue
        if not _NAME.fullmatch(name) or not _DIGEST.fullmatch(digest):
            raise ValueError(
                f"entry {number} is not of the form name:sha256, with 64 hexadecimal digits in "
                "lower case; `stn-serve keys new NAME` makes one"
            )
        keys.append((name, bytes.fromhex(digest)))
    return tuple(keys)


def read_key_file(path: Path) -> Keys:
    """Read the lines of a file.

    Raises:
        ValueError: it cannot be read, one of its lines is wrong, or it holds no key.
    """
    try:
        keys = read_keys(path.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read ({type(error).__name__})") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if not keys:
        raise ValueError(f"{path} holds no key; a file that is being written looks like that")
    return keys


class KeyRing:
    """The keys that are let in, those of a file as they are now.

    Args:
        fixed: keys that stay.
        file: further keys; looked at again and again, so that keys come and go without a restart.

    Raises:
        ValueError: the file is broken.
    """

    def __init__(self, fixed: Keys, file: Path | None = None) -> None:
        self._fixed = fixed
        self._file = file
        self._from_file = read_key_file(file) if file else ()
        self._trouble = ""

    def __bool__(self) -> bool:
        return bool(self._fixed or self._file)

    def name_of(self, key: str) -> str:
        """Return the name of a key; empty when it is not let in.

        Takes the same time for each key, whichever it is: all are compared, each in constant time.
        """
        digest = hashlib.sha256(key.encode("utf-8", "replace")).digest()
        found = ""
        for name, known in (*self._fixed, *self._from_file):
            if hmac.compare_digest(known, digest):
                found = name
        return found

    def reload(self) -> None:
        """Read the file again; broken, it changes nothing, and the log says so once."""
        if self._file is None:
            return
        try:
            keys = read_key_file(self._file)
        except ValueError as error:
            if str(error) != self._trouble:
                log.error("the API keys stay as they were: %s", error)
            self._trouble = str(error)
            return
        if keys != self._from_file:
            log.info("API keys are now those of %s", ", ".join(sorted({name for name, _ in keys})))
        self._from_file, self._trouble = keys, ""

    async def watch(self, seconds: float) -> None:
        """Read the file again and again, until cancelled."""
        while self._file is not None:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self.reload)
