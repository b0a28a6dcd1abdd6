"""Tensors on the wire are what TensorFlow reads and writes."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensorflow.core.framework import tensor_pb2

from service import wire
from service.errors import ContractBroken, InternalError

NUMBERS = ("float32", "float64", "int32", "int64", "uint8", "bool")
# Which typed field carries a dtype, and what its values are to Python.
FIELDS = {
    "float32": "float_val",
    "float64": "double_val",
    "int32": "int_val",
    "int64": "int64_val",
    "uint8": "int_val",
    "bool": "bool_val",
}
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)


def arrays() -> st.SearchStrategy[np.ndarray]:
    return st.sampled_from(NUMBERS).flatmap(lambda dtype: hnp.arrays(dtype, SHAPES))


def strings() -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(object, SHAPES, elements=st.binary(max_size=5), fill=st.nothing())


def official(array: np.ndarray, shape: tuple[int, ...] | None = None, **values: Any) -> Any:
    """Return an official TensorProto for an array, or for its dtype and another shape."""
    proto = tensor_pb2.TensorProto(dtype=tf.as_dtype(array.dtype).as_datatype_enum, **values)
    proto.tensor_shape.SetInParent()
    for size in array.shape if shape is None else shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


def typed(array: np.ndarray, shape: tuple[int, ...] | None = None) -> Any:
    """Return an official TensorProto with the values in their typed field."""
    return official(array, shape, **{FIELDS[array.dtype.name]: array.ravel().tolist()})


def ours(proto: Any) -> wire.TensorProto:
    """Return an official TensorProto as we receive it."""
    return wire.parse(wire.TensorProto, proto.SerializeToString())


def assert_same(result: np.ndarray, expected: np.ndarray) -> None:
    assert result.dtype == expected.dtype
    np.testing.assert_array_equal(result, expected, strict=True)


@given(array=arrays())
def test_an_array_is_written_as_tensorflow_would(array: np.ndarray) -> None:
    """The bytes are those of the official message with tensor_content."""
    written = wire.encode_tensor(array).SerializeToString()

    assert written == official(array, tensor_content=array.tobytes()).SerializeToString()
    read = tensor_pb2.TensorProto.FromString(written)
    if array.size != 0:  # Of no bytes, make_ndarray looks for values elsewhere.
        assert_same(tf.make_ndarray(read), array)


@given(array=strings())
def test_strings_are_written_as_tensorflow_would(array: np.ndarray) -> None:
    """Strings travel in string_val, as the official constructor puts them."""
    written = wire.encode_tensor(array).SerializeToString()

    expected = tf.make_tensor_proto(array, tf.string, array.shape)
    expected.tensor_shape.SetInParent()
    assert written == expected.SerializeToString()


def test_text_is_sent_as_utf8() -> None:
    """Arrays of str, and of NumPy's own strings, are strings as well."""
    expected = [b"a", "é".encode()]

    for array in (np.array(["a", "é"], object), np.array(["a", "é"]), np.array(expected)):
        assert list(wire.encode_tensor(array).string_val) == expected


def test_the_layout_in_memory_does_not_show() -> None:
    """Slices, transposed and big-endian arrays arrive as what they say, not as they lie."""
    array = np.arange(24, dtype=np.float32).reshape(4, 6)

    for odd in (array[::2, 1::3], array.T, array.astype(">f4")):
        sent = wire.encode_tensor(odd)
        assert_same(wire.decode_tensor(sent), odd.astype(np.float32))


def test_a_dtype_that_the_wire_does_not_know_is_our_fault() -> None:
    """Nothing of the caller's or the server's is to blame."""
    with pytest.raises(InternalError, match="cannot send complex64"):
        wire.encode_tensor(np.zeros(2, np.complex64))


@given(array=arrays())
def test_tensor_content_is_read(array: np.ndarray) -> None:
    """What a server sends with --enable_serialization_as_tensor_content."""
    assert_same(wire.decode_tensor(ours(official(array, tensor_content=array.tobytes()))), array)


@given(array=arrays())
def test_typed_fields_are_read(array: np.ndarray) -> None:
    """What a server sends otherwise."""
    assert_same(wire.decode_tensor(ours(typed(array))), array)


@given(array=arrays())
def test_what_make_tensor_proto_chooses_is_read(array: np.ndarray) -> None:
    """TensorFlow's own constructor uses one form or the other."""
    proto = tf.make_tensor_proto(array)

    assert_same(wire.decode_tensor(ours(proto)), array)


@given(array=strings())
def test_strings_are_read(array: np.ndarray) -> None:
    """As objects, bytes each."""
    proto = tf.make_tensor_proto(array, tf.string, array.shape)

    assert_same(wire.decode_tensor(ours(proto)), array)


@pytest.mark.parametrize("dtype", NUMBERS)
@given(data=st.data(), shape=hnp.array_shapes(max_side=4))
def test_one_single_value_fills_the_whole_shape(
    dtype: str, data: st.DataObject, shape: tuple[int, ...]
) -> None:
    """As TensorFlow reads it."""
    proto = typed(data.draw(hnp.arrays(dtype, 1)), shape)

    assert_same(wire.decode_tensor(ours(proto)), tf.make_ndarray(proto))


def test_one_single_string_fills_the_whole_shape() -> None:
    proto = official(np.array(b"x", object), (2, 3), string_val=[b"x"])

    assert_same(wire.decode_tensor(ours(proto)), np.full((2, 3), b"x", object))


def test_many_small_integers_are_read_in_blocks() -> None:
    """A picture's worth of uint8, more than one block, with two-byte numbers across the seams."""
    array = np.random.default_rng(0).integers(0, 256, 2**17 + 5).astype(np.uint8)

    assert_same(wire.decode_tensor(ours(typed(array))), array)


def test_nothing_is_copied() -> None:
    """Numbers of fixed width are a view of the message's bytes, and a repeated value is one."""
    array = np.ones((3, 4), np.float32)

    for proto in (official(array, tensor_content=array.tobytes()), typed(array)):
        result = wire.decode_tensor(ours(proto))
        assert not result.flags.owndata
        assert not result.flags.writeable
    assert wire.decode_tensor(ours(typed(array[0, :1], (1000, 1000)))).strides == (0, 0)


FLOAT, UINT8, INT32, STRING, BOOL = (
    wire.DataType.DT_FLOAT,
    wire.DataType.DT_UINT8,
    wire.DataType.DT_INT32,
    wire.DataType.DT_STRING,
    wire.DataType.DT_BOOL,
)


@pytest.mark.parametrize(
    ("shape", "values", "sentence"),
    [
        ((2,), {"dtype": 19}, "DataType 19"),
        ((2,), {"dtype": 0}, "DataType 0"),
        ((2, -1), {"dtype": FLOAT, "float_val": bytes(8)}, "every dimension must be known"),
        ((1,) * 65, {"dtype": FLOAT, "float_val": bytes(4)}, "every dimension must be known"),
        ((3,), {"dtype": FLOAT, "tensor_content": bytes(8)}, "2 values of float32"),
        ((3,), {"dtype": FLOAT, "tensor_content": bytes(4)}, "1 values of float32"),
        ((3,), {"dtype": FLOAT, "tensor_content": bytes(11)}, "no whole number of float32"),
        ((3,), {"dtype": FLOAT, "float_val": bytes(8)}, "2 values of float32"),
        ((3,), {"dtype": FLOAT}, "0 values of float32"),
        ((3,), {"dtype": UINT8, "float_val": bytes(12)}, "0 values of uint8"),
        ((1,), {"dtype": UINT8, "int_val": b"\x80\x02"}, "no uint8"),
        ((1,), {"dtype": UINT8, "int_val": b"\x80"}, "no uint8"),
        ((1,), {"dtype": INT32, "int_val": b"\x01\x80"}, "cut off"),
        ((1,), {"dtype": INT32, "int_val": b"\x80" * 10 + b"\x01"}, "too long"),
        ((2,), {"dtype": STRING, "string_val": [b"a"] * 3}, "3 values of string"),
        ((2,), {"dtype": STRING, "tensor_content": b"ab"}, "expected string_val"),
        ((10**12,), {"dtype": FLOAT, "float_val": bytes(4)}, "more than 100 elements"),
        ((2**62, 2**62), {"dtype": FLOAT, "float_val": bytes(4)}, "more than 100 elements"),
        ((0, 2**62), {"dtype": FLOAT}, "more than 100 elements"),
    ],
)
def test_a_tensor_that_contradicts_itself_is_a_broken_contract(
    shape: tuple[int, ...], values: dict[str, Any], sentence: str
) -> None:
    """The error names the tensor and says what is wrong with it."""
    proto = wire.TensorProto(**values)
    for size in shape:
        proto.tensor_shape.dim.add(size=size)

    with pytest.raises(ContractBroken, match=sentence) as raised:
        wire.decode_tensor(proto, max_elements=100, name="theta")

    assert raised.value.detail.startswith("theta ")


def test_a_tensor_of_unknown_rank_is_a_broken_contract() -> None:
    proto = wire.TensorProto(dtype=FLOAT, float_val=bytes(4))
    proto.tensor_shape.unknown_rank = True

    with pytest.raises(ContractBroken, match="unknown rank"):
        wire.decode_tensor(proto)


def test_bools_are_zero_or_one_whatever_the_bytes() -> None:
    """A NumPy bool of another value would be neither true nor false."""
    proto = wire.TensorProto(dtype=BOOL, tensor_content=b"\x00\x01\x07")
    proto.tensor_shape.dim.add(size=3)

    assert wire.decode_tensor(proto).view(np.uint8).tolist() == [0, 1, 1]


@given(
    dtype=st.sampled_from([0, 1, 2, 3, 4, 7, 9, 10, 19, 2**31 - 1]),
    shape=st.lists(st.sampled_from([-(2**63), -1, 0, 1, 2, 3, 2**40, 2**63 - 1]), max_size=5),
    rank_unknown=st.booleans(),
    content=st.binary(max_size=24) | st.just(b""),
    values=st.binary(max_size=24),
    texts=st.lists(st.binary(max_size=2), max_size=4),
)
def test_however_odd_a_message_is_it_raises_our_error_alone(
    dtype: Any,
    shape: list[int],
    rank_unknown: bool,
    content: bytes,
    values: bytes,
    texts: list[bytes],
) -> None:
    """It is an array of the shape that it claims, or a broken contract."""
    dims = [wire.TensorShapeProto.Dim(size=size) for size in shape]
    proto = wire.TensorProto(
        dtype=dtype,
        tensor_shape=wire.TensorShapeProto(dim=dims, unknown_rank=rank_unknown),
        tensor_content=content,
        float_val=values,
        double_val=values,
        int_val=values,
        int64_val=values,
        bool_val=values,
        string_val=texts,
    )
    try:
        result = wire.decode_tensor(proto)
    except ContractBroken:
        return
    assert list(result.shape) == shape
