"""Tensors out of JSON and out of bytes: what went in comes out, and nothing else gets in."""

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from service.errors import InvalidTensor
from service.oip.datatypes import DATATYPES, datatype_of, from_bfloat16
from service.oip.responses import to_bytes
from service.oip.tensors import from_binary, from_json, read_datatype, read_shape
from tests.service.oip.examples import DTYPES, prefixed
from tests.service.refusals import refusal_of

SHAPES = npst.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)


@st.composite
def arrays(draw: st.DrawFn, finite: bool = False) -> tuple[str, np.ndarray]:
    """Return a name of a numeric type, and an array of it."""
    datatype = draw(st.sampled_from(sorted(DTYPES)))
    dtype = np.dtype(DTYPES[datatype])
    elements = npst.from_dtype(dtype, allow_nan=not finite, allow_infinity=not finite)
    return datatype, draw(npst.arrays(dtype, SHAPES, elements=elements))


@given(arrays())
def test_bytes_and_back_changes_no_bit(example: tuple[str, np.ndarray]) -> None:
    datatype, array = example

    content = to_bytes(array)
    read = from_binary("x", datatype, array.shape, memoryview(content))

    assert content == array.astype(array.dtype.newbyteorder("<")).tobytes()
    assert read.array.dtype == array.dtype
    assert read.array.tobytes() == array.tobytes()


@given(arrays(finite=True), st.booleans())
def test_json_flat_or_nested_gives_the_array(
    example: tuple[str, np.ndarray], is_nested: bool
) -> None:
    datatype, array = example
    data = array.tolist() if is_nested else array.ravel().tolist()

    read = from_json("x", datatype, array.shape, data)

    assert read.array.dtype == array.dtype
    assert np.array_equal(read.array, array)


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=5))
def test_texts_and_back(values: list[bytes]) -> None:
    """Each after its length in four bytes, the lowest first."""
    array = np.array([*values, None], object)[:-1]

    content = to_bytes(array)
    read = from_binary("x", "BYTES", (len(values),), memoryview(content))

    assert content == prefixed(*values)
    assert read.array.tolist() == values


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=5))
def test_texts_in_json_are_utf_8(values: list[str]) -> None:
    read = from_json("x", "BYTES", (1, len(values)), [values])

    assert read.is_text
    assert read.array.tolist() == [[value.encode() for value in values]]


@given(st.floats(width=32, allow_nan=False))
def test_bfloat16_is_the_upper_half_of_float32(number: float) -> None:
    """Oracle: the bits, shifted by hand."""
    half = struct.unpack("<I", struct.pack("<f", number))[0] >> 16
    expected = struct.unpack("<f", struct.pack("<I", half << 16))[0]

    read = from_binary("x", "BF16", (1,), memoryview(struct.pack("<H", half)))

    assert read.array.dtype == np.float32
    assert read.array[0] == expected
    assert from_bfloat16(np.array([0x3F80, 0xC049], np.uint16)).tolist() == [1.0, -3.140625]


def test_any_byte_but_zero_is_true() -> None:
    read = from_binary("x", "BOOL", (4,), memoryview(b"\x00\x01\x02\xff"))

    assert read.array.tolist() == [False, True, True, True]
    assert read.array.view(np.uint8).tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize(
    ("datatype", "value"),
    [
        ("UINT8", 256),
        ("UINT8", -1),
        ("INT8", 128),
        ("INT64", 2**63),
        ("UINT8", 1.5),
        ("UINT8", 1.0),
        ("UINT8", True),
        ("FP32", True),
        ("FP32", "1"),
        ("FP32", None),
        ("FP32", 1e39),
        ("FP16", 70000),
        ("FP64", 10**400),
        ("BOOL", 1),
        ("BYTES", 1),
        ("BYTES", None),
        ("INT32", {}),
        ("INT32", [1]),
    ],
)
def test_a_value_that_its_type_cannot_hold_is_refused(datatype: str, value: object) -> None:
    """Never rounded, wrapped or taken for something else."""
    good = {"BOOL": True, "BYTES": "x"}.get(datatype, 1)

    with pytest.raises(InvalidTensor, match=r"^the input 'x' has a data that cannot be read"):
        from_json("x", datatype, (2,), [good, value])


@pytest.mark.parametrize(
    ("shape", "data"),
    [
        ((2, 2), [1, 2, 3]),
        ((2, 2), [1, 2, 3, 4, 5]),
        ((2, 2), [[1, 2], [3]]),
        ((2, 2), [[1, 2], [3, 4], [5, 6]]),
        ((2, 2), [[1, 2], 3, 4]),
        ((2, 2), [[1, 2, 3, 4]]),
        ((4,), [[1, 2], [3, 4]]),
        ((2, 2), [[[1], [2]], [[3], [4]]]),
        ((2, 2), []),
        ((1,), [[]]),
        ((2, 2), "1234"),
        ((2, 2), {"0": 1}),
        ((2, 2), 4),
    ],
)
def test_data_that_do_not_fill_the_shape_are_refused(shape: tuple[int, ...], data: object) -> None:
    with pytest.raises(InvalidTensor):
        from_json("x", "INT32", shape, data)


@pytest.mark.parametrize(
    "shape",
    [
        None,
        4,
        "[4]",
        {"0": 4},
        [-1],
        [0],
        [2**31],
        [2**70],
        [1.0],
        [True],
        ["4"],
        [None],
        [[4]],
        [1] * 9,
        [1] * 65536,
    ],
)
def test_a_shape_that_is_none_is_refused(shape: object) -> None:
    with pytest.raises(InvalidTensor, match="shape that cannot be read"):
        read_shape("x", shape)


@pytest.mark.parametrize("datatype", sorted({*DTYPES, "BYTES", "BF16"}))
def test_a_shape_that_overflows_every_integer_costs_nothing(datatype: str) -> None:
    """Its product is some 2**248: past 64 bits it is 0, which 0 bytes would seem to fill."""
    shape = read_shape("x", [2**31 - 1] * 7 + [2**30])

    assert math.prod(shape) > 2**240
    for content in (b"", b"\0" * 64):
        assert refusal_of(lambda c=content: from_binary("x", datatype, shape, memoryview(c)))  # type: ignore[misc]
    if datatype != "BF16":
        assert refusal_of(lambda: from_json("x", datatype, shape, []))


@pytest.mark.parametrize("datatype", ["uint8", "UINT7", "FP8", "STRING", "", None, 8, []])
def test_an_unknown_datatype_is_refused_with_the_list_of_those_known(datatype: object) -> None:
    with pytest.raises(InvalidTensor, match=r"BOOL, UINT8, .*, BYTES"):
        read_datatype("x", datatype)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        prefixed(b"abc"),
        prefixed(b"abc", b"de", b"f"),
        prefixed(b"abc", b"de")[:-1],
        prefixed(b"abc", b"de") + b"\0",
        prefixed(b"abc") + b"\0\0\0",
        prefixed(b"abc") + b"\xff\xff\xff\xff",
        b"\xff\xff\xff\x7fabc",
    ],
)
def test_lengths_that_do_not_add_up_are_refused(content: bytes) -> None:
    with pytest.raises(InvalidTensor, match="do not add up"):
        from_binary("x", "BYTES", (2,), memoryview(content))


@given(
    st.sampled_from(DATATYPES),
    st.lists(st.integers(1, 5), max_size=4).map(tuple),
    st.binary(max_size=64),
)
def test_no_bytes_bring_anything_but_a_tensor_or_a_refusal(
    datatype: str, shape: tuple[int, ...], content: bytes
) -> None:
    def read() -> None:
        assert from_binary("x", datatype, shape, memoryview(content)).array.shape == shape

    refusal_of(read)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=3),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=2), children)
    ),
    max_leaves=20,
)


@given(st.sampled_from(DATATYPES), st.lists(st.integers(1, 3), max_size=3).map(tuple), JSON)
def test_no_json_brings_anything_but_a_tensor_or_a_refusal(
    datatype: str, shape: tuple[int, ...], data: object
) -> None:
    def read() -> None:
        assert from_json("x", datatype, shape, data).array.shape == shape

    refusal_of(read)


def test_every_type_of_tensorflow_that_is_answered_has_a_name() -> None:
    assert datatype_of("float32") == "FP32"
    assert datatype_of("string") == "BYTES"
    assert {datatype_of(dtype) for dtype in DTYPES.values()} == set(DTYPES)
