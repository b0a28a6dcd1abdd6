import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from model_export import pack_sample as pack_sample_module
from model_export.data import Digits, load_digits, load_sample, read_idx
from model_export.pack_sample import pack_sample

ARRAYS = arrays(np.uint8, array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=6))


def idx(array: np.ndarray) -> bytes:
    sides = b"".join(side.to_bytes(4, "big") for side in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sides + array.tobytes()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("idx") / "file"


@given(array=ARRAYS, compressed=st.booleans())
def test_what_is_written_as_idx_is_read_back(
    array: np.ndarray, compressed: bool, scratch: Path
) -> None:
    scratch.write_bytes(gzip.compress(idx(array)) if compressed else idx(array))

    read = read_idx(scratch)

    assert read.dtype == np.uint8
    assert read.shape == array.shape
    assert np.array_equal(read, array)


@given(array=ARRAYS, compressed=st.booleans(), data=st.data())
def test_a_file_cut_short_is_refused(
    array: np.ndarray, compressed: bool, data: st.DataObject, scratch: Path
) -> None:
    content = gzip.compress(idx(array)) if compressed else idx(array)
    scratch.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])

    with pytest.raises(ValueError, match="file"):
        read_idx(scratch)


@given(
    start=st.sampled_from([b"", b"\0\0\x08", b"\0\0\x08\x03", b"\x1f\x8b", b"\0\0\x0d\x01"]),
    rest=st.binary(),
)
def test_garbage_raises_nothing_but_value_error(start: bytes, rest: bytes, scratch: Path) -> None:
    scratch.write_bytes(start + rest)
    try:
        array = read_idx(scratch)
    except ValueError:
        return

    assert idx(array) == start + rest


def test_a_header_that_promises_more_than_memory_is_refused(tmp_path: Path) -> None:
    """Sides that overflow 64 bits when multiplied must not come out as a small number."""
    path = tmp_path / "huge"
    path.write_bytes(bytes([0, 0, 8, 4]) + (2**16).to_bytes(4, "big") * 4)

    with pytest.raises(ValueError, match="holds 0"):
        read_idx(path)


@pytest.mark.parametrize("spelling", ["{}-idx{}-ubyte", "{}-idx{}-ubyte.gz", "{}.idx{}-ubyte"])
def test_a_folder_is_read_in_every_usual_spelling(
    tmp_path: Path, spelling: str, sample: Digits
) -> None:
    write_folder(tmp_path, sample, spelling)

    digits = load_digits(str(tmp_path))

    assert np.array_equal(digits.train_images, sample.train_images)
    assert np.array_equal(digits.test_labels, sample.test_labels)


def test_a_missing_file_is_named_with_the_way_out(tmp_path: Path, sample: Digits) -> None:
    write_folder(tmp_path, sample, "{}-idx{}-ubyte")
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()

    with pytest.raises(FileNotFoundError, match=r"t10k-labels-idx1-ubyte.*--data sample"):
        load_digits(str(tmp_path))


def test_a_label_for_each_image_is_demanded(sample: Digits) -> None:
    with pytest.raises(ValueError, match=r"\(999, 28, 28\), one for each label"):
        Digits("x", sample.train_images, sample.train_labels[:-1], *evaluation_part(sample))


def test_labels_beyond_nine_are_refused(sample: Digits) -> None:
    with pytest.raises(ValueError, match="digits 0 to 9"):
        Digits("x", sample.train_images, sample.train_labels + 10, *evaluation_part(sample))


def test_the_sample_is_the_beginning_of_mnist() -> None:
    sample = load_sample()

    assert sample.train_labels[:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]
    assert sample.test_labels[:8].tolist() == [7, 2, 1, 0, 4, 1, 4, 9]
    assert len(sample.train_labels) == len(sample.test_labels) == 1000
    # White ink on black: the corners of the frame are empty.
    assert sample.train_images[:, 0, 0].max() == 0
    assert sample.train_images.max() == 255


def test_packing_the_same_digits_gives_the_same_bytes(tmp_path: Path, sample: Digits) -> None:
    folder = tmp_path / "mnist"
    folder.mkdir()
    write_folder(folder, sample, "{}-idx{}-ubyte")

    pack_sample(str(folder), tmp_path / "one.npz")
    pack_sample(str(folder), tmp_path / "two.npz")

    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with np.load(tmp_path / "one.npz") as packed:
        assert np.array_equal(packed["test_images"], sample.test_images)


def test_the_sample_carries_its_notice() -> None:
    notice = pack_sample_module.TARGET.with_name("NOTICE").read_text()

    assert "LeCun" in notice
    assert "ShareAlike" in notice


def write_folder(folder: Path, digits: Digits, spelling: str) -> None:
    parts = {"train": (digits.train_images, digits.train_labels), "t10k": evaluation_part(digits)}
    for part, (images, labels) in parts.items():
        for name, array in ((f"{part}-images", images), (f"{part}-labels", labels)):
            path = folder / spelling.format(name, array.ndim)
            path.write_bytes(gzip.compress(idx(array)) if path.suffix == ".gz" else idx(array))


def evaluation_part(digits: Digits) -> tuple[np.ndarray, np.ndarray]:
    return digits.test_images, digits.test_labels
