"""Options: the same checks wherever they came from."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidOption, UnknownOption
from service.options import (
    PredictOptions,
    Selector,
    describe,
    read_predict_options,
    read_warp_options,
)
from tests.service.refusals import refusal_of

IDENTITY = [1, 0, 0, 0, 1, 0]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


def test_without_options_the_defaults_hold() -> None:
    assert read_predict_options({}) == PredictOptions()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"version": "3"}, PredictOptions(selector=Selector(version=3))),
        ({"version": 3}, PredictOptions(selector=Selector(version=3))),
        ({"label": "stable"}, PredictOptions(selector=Selector(label="stable"))),
        ({"top_k": "5"}, PredictOptions(top_k=5)),
        ({"top_k": 5}, PredictOptions(top_k=5)),
        ({"fit": "crop"}, PredictOptions(fit="crop")),
        ({"fit": "stretch"}, PredictOptions(fit="stretch")),
        ({"invert": "true"}, PredictOptions(invert=True)),
        ({"invert": "1"}, PredictOptions(invert=True)),
        ({"invert": True}, PredictOptions(invert=True)),
        ({"invert": "false"}, PredictOptions()),
        ({"include": "warped"}, PredictOptions(include_warped=True)),
        ({"include": ["warped"]}, PredictOptions(include_warped=True)),
    ],
)
def test_an_option_is_read_as_text_and_as_json(
    given: dict[str, Any], expected: PredictOptions
) -> None:
    assert read_predict_options(given) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("version", "0"),
        ("version", "-1"),
        ("version", "1.0"),
        ("version", 2.0),
        ("version", True),
        ("version", None),
        ("version", "9" * 19),
        ("version", 2**63),
        ("version", "٣"),
        ("version", ""),
        ("label", ""),
        ("label", "a" * 101),
        ("label", "a\nb"),
        ("label", 3),
        ("top_k", "0"),
        ("top_k", [3]),
        ("fit", "PAD"),
        ("fit", ""),
        ("fit", ["pad"]),
        ("fit", {}),
        ("invert", "yes"),
        ("invert", 2),
        ("invert", []),
        ("include", "theta"),
        ("include", ["warped", "theta"]),
        ("include", {}),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidOption) as caught:
        read_predict_options({name: value})

    assert [error.field for error in caught.value.errors] == [name]
    assert caught.value.detail.startswith(f"{name} must be ")


def test_a_version_and_a_label_contradict() -> None:
    with pytest.raises(InvalidOption):
        read_predict_options({"version": 1, "label": "stable"})


def test_every_complaint_is_told_at_once() -> None:
    with pytest.raises(InvalidOption) as caught:
        read_warp_options({"width": "no", "padding": "no", "interpolation": "no"})

    fields = [error.field for error in caught.value.errors]
    assert fields == ["theta", "width", "padding", "interpolation"]


@pytest.mark.parametrize("read", [read_predict_options, read_warp_options])
def test_an_unknown_option_is_refused_with_the_known_ones(read: Any) -> None:
    """A mistyped option that is silently ignored costs its author an afternoon."""
    with pytest.raises(UnknownOption, match=r"'topk'.* the options are version, label") as caught:
        read({"topk": 3})

    assert caught.value.errors[0].field == "'topk'"


@pytest.mark.parametrize("read", [read_predict_options, read_warp_options])
def test_of_thousands_of_unknown_options_ten_are_told(read: Any) -> None:
    """Or the refusal would be a hundred times as long as the request."""
    with pytest.raises(UnknownOption) as caught:
        read({f"o{number}": 1 for number in range(9000)})

    assert len(caught.value.errors) == 10


@pytest.mark.parametrize(
    "theta",
    [
        [0.5, 0, 0.25, 0, 2, -1],
        [[0.5, 0, 0.25], [0, 2, -1]],
        "0.5,0,0.25,0,2,-1",
        " 0.5 0 0.25  0 2 -1 ",
        "0.5, 0, 0.25, 0, 2, -1",
        "[0.5, 0, 0.25, 0, 2, -1]",
        "[[0.5, 0, 0.25], [0, 2, -1]]",
        ["0.5", "0", "0.25", "0", "2", "-1"],
    ],
)
def test_theta_is_six_numbers_or_two_rows(theta: Any) -> None:
    options = read_warp_options({"theta": theta})

    assert options.theta.dtype == np.float32
    assert options.theta.tolist() == [0.5, 0, 0.25, 0, 2, -1]


@pytest.mark.parametrize(
    "theta",
    [
        [1, 0, 0, 0, 1],
        [1, 0, 0, 0, 1, 0, 0],
        [[1, 0], [0, 0], [1, 0]],
        [[1, 0, 0], [0, 1]],
        [[1, 0, 0], 5],
        [[[1, 0, 0]], [[0, 1, 0]]],
        [1, 0, 0, 0, 1, None],
        [1, 0, 0, 0, 1, True],
        [1, 0, 0, 0, 1, {}],
        [1, 0, 0, 0, 1, []],
        [1, 0, 0, 0, 1, float("nan")],
        [1, 0, 0, 0, 1, float("inf")],
        [1, 0, 0, 0, 1, 1e39],
        [1, 0, 0, 0, 1, 1000001],
        [1, 0, 0, 0, 1, 10**400],
        "1,0,0,0,1",
        "1,0,0,0,1,nan",
        "1,0,0,0,1,Infinity",
        "1,0,0,0,1,1e39",
        "1,0,0,0,1,x",
        "[1,0,0,0,1,NaN]",
        "[1,0,0,0,1",
        "[" * 900,
        "[" * 5000,
        "1 " * 500_000,
        "",
        None,
        5,
        {},
        True,
    ],
)
def test_any_other_theta_is_refused(theta: Any) -> None:
    with pytest.raises(InvalidOption) as caught:
        read_warp_options({"theta": theta})

    assert caught.value.errors[0].field == "theta"
    assert len(caught.value.detail) < 300


def test_theta_is_needed() -> None:
    with pytest.raises(InvalidOption, match=r"six finite numbers.*got nothing"):
        read_warp_options({})


def test_options_of_warp() -> None:
    options = read_warp_options(
        {
            "theta": IDENTITY,
            "width": "30",
            "height": 20,
            "padding": "reflection",
            "interpolation": "nearest",
            "version": "2",
        }
    )

    assert (options.width, options.height) == (30, 20)
    assert (options.padding, options.interpolation) == ("reflection", "nearest")
    assert options.selector == Selector(version=2)


@pytest.mark.parametrize("name", ["width", "height"])
@pytest.mark.parametrize("value", ["0", "-4", "1e3", "", None, -1, 2.5, "9" * 25])
def test_a_side_is_a_whole_number_of_pixels(name: str, value: Any) -> None:
    with pytest.raises(InvalidOption):
        read_warp_options({"theta": IDENTITY, name: value})


PREDICT_NAMES = ("version", "label", "top_k", "fit", "invert", "include")
WARP_NAMES = ("version", "label", "theta", "width", "height", "padding", "interpolation")


@given(st.dictionaries(st.sampled_from(PREDICT_NAMES) | st.text(max_size=10), JSON, max_size=4))
def test_no_value_breaks_the_reader_of_predict(values: dict[str, Any]) -> None:
    assert len(refusal_of(lambda: read_predict_options(values))) < 1000


@given(st.dictionaries(st.sampled_from(WARP_NAMES), JSON, max_size=4))
def test_no_value_breaks_the_reader_of_warp(values: dict[str, Any]) -> None:
    assert len(refusal_of(lambda: read_warp_options(values))) < 1000


@given(JSON)
def test_a_description_is_short_and_printable(value: Any) -> None:
    text = describe(value)

    assert len(text) < 80
    assert text.isprintable()
