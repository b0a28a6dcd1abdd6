"""What the commands share."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Never

import click

from stn_client import output
from stn_client.errors import CONNECTION_FAILED, GatewayError

SOME_FAILED, NOTHING_WORKS = 1, 3
# What would befall every other picture as well.
HOPELESS = {
    *(CONNECTION_FAILED, "unexpected_answer", "unauthorized", "not_found"),
    *("unknown_option", "invalid_option", "unknown_version", "unknown_label"),
}
EPILOG = """
\b
Exit codes: 0 all went well; 1 some files were left out, each is named;
2 the command was not understood; 3 the gateway cannot be reached or
answers nothing of this, so that nothing more was tried.
"""

FILES = click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
VERSION = click.option("--version", type=int, help="Version of the model; else the newest.")
LABEL = click.option("--label", help="Label of a version, instead of its number.")


def with_key(context: click.Context, /, kind: Callable[..., Any], **more: Any) -> Any:
    """Return a client with the options of the command and the key of the environment."""
    # An environment variable and no option: what is on a command line, others can see.
    try:
        return kind(**{**context.obj, "api_key": os.environ.get("STN_API_KEY"), **more})
    except ValueError as error:
        raise click.UsageError(str(error)) from error


@contextmanager
def told() -> Iterator[None]:
    """Turn what the gateway refuses into a sentence and an exit code."""
    try:
        yield
    except GatewayError as error:
        hopeless = error.code in HOPELESS or error.is_passing
        raise output.fail(output.words(error), NOTHING_WORKS if hopeless else SOME_FAILED) from None
    except OSError as error:
        raise output.fail(f"{error.filename}: {output.words(error)}", SOME_FAILED) from None


def run(work: Coroutine[Any, Any, int]) -> Never:
    """Run a command that is a coroutine, and end with the exit code that it returns."""
    try:
        with told():
            status = asyncio.run(work)
    except KeyboardInterrupt:
        status = 130
    raise click.exceptions.Exit(status)
