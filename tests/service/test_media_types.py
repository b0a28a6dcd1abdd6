"""Which of the types that a route offers an `Accept` header likes best (RFC 9110, 12.5.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import NotAcceptable
from service.http import choose_media_type
from tests.service.refusals import refusal_of

PNG, JSON = "image/png", "application/json"
OFFERED = (PNG, JSON)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", PNG),
        ("*/*", PNG),
        ("image/png", PNG),
        ("application/json", JSON),
        ("APPLICATION/JSON", JSON),
        ("image/*", PNG),
        ("application/*", JSON),
        ("text/html, application/json;q=0.2", JSON),
        ("image/png;q=0.3, application/json;q=0.8", JSON),
        ("image/png;q=0.8, application/json;q=0.3", PNG),
        ("application/json, image/png", PNG),
        ("*/*;q=0.1, application/json", JSON),
        ("image/*;q=0.1, */*;q=0.5", JSON),
        ("*/*, image/png;q=0", JSON),
        ("image/png ; q=0.1 , application/json ; q=0.2", JSON),
        ("application/json;charset=utf-8", JSON),
        ("application/json;version=1;q=0.1, image/png;q=0.05", JSON),
        # What a browser sends.
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8", PNG),
    ],
)
def test_the_best_liked_type_is_chosen(accept: str, expected: str) -> None:
    assert choose_media_type(accept, OFFERED) == expected


@pytest.mark.parametrize(
    "accept",
    ["text/html", "image/png;q=0, application/json;q=0", "*/*;q=0", "image/png;q=x", ",", ";"],
)
def test_nothing_is_answered_that_is_not_accepted(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="image/png or application/json"):
        choose_media_type(accept, OFFERED)


@given(st.text(st.characters(max_codepoint=255), max_size=80))
def test_no_header_breaks_it(accept: str) -> None:
    assert len(refusal_of(lambda: choose_media_type(accept, OFFERED))) < 200
