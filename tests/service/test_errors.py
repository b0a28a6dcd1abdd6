"""The tree of errors, and the one table from it to HTTP."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import orjson
import pytest

from service import errors, problems
from service.app import create_app
from service.errors import FieldError, ServiceError
from service.settings import Settings

ROOT = Path(__file__).parents[2]


def family(kind: type[ServiceError]) -> Iterator[type[ServiceError]]:
    """Return a class and all that are derived from it, this module's alone."""
    if kind.__module__ == errors.__name__:
        yield kind
    for child in kind.__subclasses__():
        yield from family(child)


# The root and these branches are never raised themselves.
ABSTRACT = {errors.ServiceError, errors.RequestError, errors.TryLater}
RAISED = sorted(set(family(ServiceError)) - ABSTRACT, key=lambda kind: kind.__name__)


def test_the_table_has_a_status_for_every_error_and_for_nothing_else() -> None:
    """A new error cannot be forgotten."""
    assert set(problems.STATUS_OF) == set(RAISED)


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in RAISED]

    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


@pytest.mark.parametrize("kind", RAISED)
def test_a_status_fits_the_branch(kind: type[ServiceError]) -> None:
    """4xx is the caller's to mend, 503 comes with a time to come again, the rest is ours."""
    status = problems.STATUS_OF[kind]

    assert (400 <= status < 500) == issubclass(kind, errors.RequestError)
    assert (status == HTTPStatus.SERVICE_UNAVAILABLE) == issubclass(kind, errors.Unavailable)


@pytest.mark.parametrize("kind", RAISED)
def test_every_error_becomes_a_problem_document(kind: type[ServiceError]) -> None:
    """RFC 9457, with a code for programs and the fields to blame."""
    error = kind("What arrived.", (FieldError("top_k", "'x'", "a number"),), "for the log alone")

    status, headers, body = problems.answer(error, "/predict", "id-1")

    assert headers["content-type"] == "application/problem+json"
    assert orjson.loads(body) == {
        "type": f"urn:stn-serving:error:{kind.code}",
        "title": kind.code.replace("_", " "),
        "status": status,
        "detail": "What arrived.",
        "instance": "/predict",
        "code": kind.code,
        "request_id": "id-1",
        "errors": [{"field": "top_k", "got": "'x'", "expected": "a number"}],
    }
    assert b"for the log alone" not in body
    assert ("retry-after" in headers) == (status in (429, 503))


def test_retry_after_is_in_whole_seconds() -> None:
    _, headers, _ = problems.answer(errors.Overloaded("full"), "/predict", "id-1")

    assert int(headers["retry-after"]) >= 1


def documented() -> dict[str, int]:
    """Return code and status of each line of the table in docs/errors.md."""
    text = (ROOT / "docs" / "errors.md").read_text()
    return {
        code: int(status)
        for code, status in re.findall(r"^\| `(\w+)` \| (\d{3}) \|", text, re.MULTILINE)
    }


def test_the_page_on_errors_lists_every_code_with_its_status_and_no_other() -> None:
    assert documented() == {kind.code: int(problems.STATUS_OF[kind]) for kind in RAISED}


def test_every_code_is_named_at_some_route_of_the_openapi_document() -> None:
    """Routing errors apart: they belong to no route."""
    document = create_app(Settings()).openapi()
    named: set[str] = set()
    for methods in document["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                for code in re.findall(r"`(\w+)`", response["description"]):
                    named.add(code)
                    assert int(status) == documented()[code]

    branches = {errors.ModelServerError.code, errors.Unavailable.code}
    assert {kind.code for kind in RAISED} - named <= {"not_found", "method_not_allowed", *branches}
