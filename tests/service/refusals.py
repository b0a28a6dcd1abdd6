"""Calls that may be refused, but only with an error of ours."""

from collections.abc import Callable
from typing import Any

from service.errors import ServiceError


def refusal_of(call: Callable[[], Any]) -> str:
    """Return the sentence with which a call is refused, empty when it is not.

    Any other exception passes, and fails the test.
    """
    try:
        call()
    except ServiceError as error:
        return error.detail
    return ""
