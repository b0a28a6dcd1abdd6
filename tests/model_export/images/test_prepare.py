"""Which pictures are found, left out and split, and how they come back."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from model_export.images.batches import num_steps, training_batches
from model_export.images.folder import list_pictures
from model_export.images.prepare import PIXELS, Prepared, open_prepared, prepare
from model_export.images.split import LEFT_OUT, TEST, TRAIN, VALIDATION, split_by_content
from tests.model_export.images.conftest import SPEC, draw_bars


def read(folder: Path, run: Path) -> Prepared:
    return prepare(list_pictures(folder), SPEC, run)


def test_labels_are_the_folders_names_and_pictures_may_lie_deeper(tmp_path: Path) -> None:
    draw_bars(tmp_path / "in", 6)
    (tmp_path / "in" / "lying" / "more").mkdir()
    (tmp_path / "in" / "lying" / "000.png").rename(tmp_path / "in" / "lying" / "more" / "0.PNG")
    (tmp_path / "in" / ".hidden").mkdir()
    (tmp_path / "in" / "lying" / ".DS_Store").touch()

    listing = list_pictures(tmp_path / "in")

    assert listing.labels == ("lying", "standing")
    assert np.bincount(listing.classes).tolist() == [6, 6]


def test_a_folder_without_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds 0 folders"):
        list_pictures(tmp_path)


def test_the_parts_of_a_set_are_not_taken_for_classes(tmp_path: Path) -> None:
    for part in ("train", "Test"):
        draw_bars(tmp_path / "in" / part, 6)

    draw_bars(tmp_path / "in" / "valid", 6)

    with pytest.raises(
        ValueError, match=r"holds Test, train, valid, which are parts .* such as \S+/train\."
    ):
        list_pictures(tmp_path / "in")


@pytest.mark.parametrize("name", ["003.png", "003.jfif", "notes.txt", "no ending"])
def test_whatever_is_no_picture_is_listed_and_left_out(name: str, tmp_path: Path) -> None:
    draw_bars(tmp_path / "in", 6)
    (tmp_path / "in" / "lying" / name).write_bytes(b"no picture")

    prepared = read(tmp_path / "in", tmp_path / "run")

    assert len(prepared.classes) == (11 if name == "003.png" else 12)
    skipped = (tmp_path / "run" / "skipped.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in skipped] == ["file", f"lying/{name}"]


def test_a_link_to_nothing_is_left_out(tmp_path: Path) -> None:
    folder = draw_bars(tmp_path / "in", 6)
    (folder / "lying" / "gone.png").symlink_to(tmp_path / "nowhere.png")

    prepared = read(folder, tmp_path / "run")

    assert [name for name, _ in prepared.skipped] == ["lying/gone.png"]


@pytest.mark.parametrize(
    ("light", "expected"),
    [
        (SPEC.background, "nothing of it differs from its ground"),
        (255, "the same picture lies in another class"),
    ],
)
def test_what_cannot_be_told_from_its_ground_is_left_out(
    light: int, expected: str, tmp_path: Path
) -> None:
    """Else all such pictures are one, and it lies in each class."""
    folder = draw_bars(tmp_path / "in", 6)
    drawn = np.zeros((28, 28), np.uint8)
    drawn[9:19, 12:16] = 255
    for label in ("lying", "standing"):
        ink = Image.fromarray(np.full((28, 28), light, np.uint8))
        icon = Image.merge("LA", (ink, Image.fromarray(drawn)))
        icon.save(folder / label / "icon.png")

    prepared = read(folder, tmp_path / "run")

    assert [reason for _, reason in prepared.skipped] == [expected] * 2


def test_a_picture_is_one_whatever_its_ending(tmp_path: Path) -> None:
    draw_bars(tmp_path / "in", 6)
    lying = tmp_path / "in" / "lying"
    (lying / "000.png").rename(lying / "000.jfif")
    (lying / "001.png").rename(lying / "001")

    assert len(read(tmp_path / "in", tmp_path / "run").classes) == 12


def test_names_that_cannot_be_written_are_escaped(tmp_path: Path) -> None:
    draw_bars(tmp_path / "in", 6)
    for name in (b"tab\there.png", b"caf\xe9.png"):
        Path(os.fsdecode(os.fsencode(tmp_path / "in" / "lying") + b"/" + name)).write_bytes(b"")

    prepared = read(tmp_path / "in", tmp_path / "run")

    assert [name for name, _ in prepared.skipped] == [
        "lying/caf\\udce9.png",
        "lying/tab\\there.png",
    ]
    lines = (tmp_path / "run" / "skipped.tsv").read_text(encoding="utf-8").splitlines()
    assert [line.count("\t") for line in lines] == [1, 1, 1]


def test_a_class_with_too_few_files_is_refused_before_any_is_read(tmp_path: Path) -> None:
    draw_bars(tmp_path / "in", 6)
    for number in (0, 1):
        (tmp_path / "in" / "standing" / f"00{number}.png").unlink()
    (tmp_path / "in" / "empty").mkdir()

    with pytest.raises(ValueError, match=r"too few are in empty \(0\), standing \(4\)"):
        read(tmp_path / "in", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_copies_and_broken_files_do_not_make_a_class(tmp_path: Path) -> None:
    """Of six files one is broken and two are alike."""
    lying = draw_bars(tmp_path / "in", 6) / "lying"
    shutil.copy(lying / "000.png", lying / "001.png")
    (lying / "002.png").write_bytes(b"no picture")

    with pytest.raises(
        ValueError, match=r"lying \(4\)\. Copies count once\. 1 files were left out"
    ):
        read(tmp_path / "in", tmp_path / "run")


def test_pixels_that_are_missing_are_not_made_up(tmp_path: Path) -> None:
    draw_bars(tmp_path / "in", 6)
    prepared = read(tmp_path / "in", tmp_path / "run")
    with (tmp_path / "run" / PIXELS).open("r+b") as file:
        file.truncate(11 * 28 * 28)

    assert prepared.read(np.array([10])).any()
    with pytest.raises(OSError, match="ends before picture 11"):
        prepared.read(np.array([11]))


def test_pictures_come_back_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    draw_bars(tmp_path / "in", 6)
    prepared = read(tmp_path / "in", tmp_path / "run")

    some = prepared.read(np.array([7, 2]))

    assert np.array_equal(some[0], prepared.read(np.array([7]))[0])
    assert np.array_equal(some[1], prepared.read(np.arange(12))[2])
    opened = open_prepared(tmp_path / "run")
    assert np.array_equal(opened.parts, prepared.parts)
    assert np.array_equal(opened.digests, prepared.digests)
    assert (opened.skipped, opened.shares) == (prepared.skipped, prepared.shares)


def test_a_copy_never_lies_in_another_part_and_a_contradiction_in_none(tmp_path: Path) -> None:
    folder = draw_bars(tmp_path / "in", 20)
    for number in range(20):
        name = f"{number:03}.png"
        shutil.copy(folder / "lying" / name, folder / "lying" / f"copy-{name}")
    shutil.copy(folder / "lying" / "007.png", folder / "standing" / "wrong.png")

    prepared = read(folder, tmp_path / "run")

    first = prepared.paths[prepared.distinct(TRAIN)].tolist()
    assert not [name for name in first if name.startswith("lying/copy-")]
    assert len(first) == len(set(prepared.digests[prepared.parts == TRAIN].tolist()))
    part = dict(zip(prepared.paths.tolist(), prepared.parts.tolist(), strict=True))
    for number in range(20):
        assert part[f"lying/{number:03}.png"] == part[f"lying/copy-{number:03}.png"]
    assert part["lying/007.png"] == part["standing/wrong.png"] == LEFT_OUT


@given(
    st.lists(
        st.tuples(st.binary(min_size=2, max_size=2), st.integers(0, 3)), min_size=1, max_size=60
    )
)
def test_equal_pictures_share_a_part_whatever_they_are(pictures: list[tuple[bytes, int]]) -> None:
    digests, classes = zip(*pictures, strict=True)

    parts = split_by_content(digests, classes, 0.15, 0.15)

    for digest in set(digests):
        assert len({p for p, d in zip(parts.tolist(), digests, strict=True) if d == digest}) == 1
    for number in set(classes):
        here = [i for i, c in enumerate(classes) if c == number and parts[i] != LEFT_OUT]
        if len({digests[i] for i in here}) >= 3:
            assert {TRAIN, VALIDATION, TEST} <= {int(parts[i]) for i in here}


def test_an_epoch_shows_each_picture_once_when_there_are_many(tmp_path: Path) -> None:
    draw_bars(tmp_path / "in", 40)
    prepared = read(tmp_path / "in", tmp_path / "run")
    chosen = prepared.part(TRAIN)
    size = len(chosen) // 20

    batches = list(training_batches(prepared, chosen, size, False, (1, 1)))

    assert len(batches) == num_steps(len(chosen), size)
    seen = {image.tobytes() for images, _ in batches for image in images.numpy()}
    assert len(seen) == len(batches) * size


def test_balanced_batches_draw_the_rare_class_as_often(tmp_path: Path) -> None:
    draw_bars(tmp_path / "in", 30)
    for number in range(6, 30):
        (tmp_path / "in" / "standing" / f"{number:03}.png").unlink()
    prepared = read(tmp_path / "in", tmp_path / "run")

    batches = training_batches(prepared, prepared.part(TRAIN), 20, True, (1, 1))

    share = np.concatenate([classes.numpy() for _, classes in batches]).mean()
    assert share == pytest.approx(0.5, abs=0.1)
