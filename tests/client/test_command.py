"""The command `stn-client`, as a process of its own where it matters, against a real gateway."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from stn_client.cli import main
from tests.client.conftest import CAT, DIGIT, Stub, good, problem
from tests.versions import SHIPPED


def run(url: str, *words: str | Path, key: str | None = None) -> Result:
    """Run the command in this process."""
    environment = {"STN_URL": url, "STN_API_KEY": key}
    return CliRunner().invoke(main, [str(word) for word in words], env=environment)


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_predict_shows_a_row_for_each_picture(gateway: str) -> None:
    result = run(gateway, "predict", DIGIT, CAT)

    assert result.exit_code == 0, result.output
    header, digit, cat = (line.split() for line in result.stdout.splitlines())
    assert header == ["FILE", "LABEL", "CONFIDENCE", "ROTATION", "SCALE"]
    assert digit[:3] == [str(DIGIT), "7", "1.0000"]
    assert cat[0] == str(CAT)
    assert cat[1].isdecimal(), "it names a digit, whatever it is shown"
    assert result.stderr == ""


def test_predict_as_json_is_the_answer_an_object_a_line(gateway: str) -> None:
    result = run(gateway, "predict", "--json", DIGIT, DIGIT.with_name("digit-4.png"))

    assert result.exit_code == 0, result.output
    first, second = lines(result)
    assert (first["file"], first["label"]) == (str(DIGIT), "7")
    assert second["label"] == "4"
    assert {"theta", "region", "probabilities", "model", "request_id"} <= first.keys()


def test_files_that_cannot_be_read_are_named_and_left_out(gateway: str, tmp_path: Path) -> None:
    """The others are answered, and the exit code says that some are missing."""
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")
    gone = tmp_path / "gone.png"

    result = run(gateway, "predict", "--json", gone, DIGIT, broken)

    assert result.exit_code == 1
    missing, answered, refused = lines(result)
    assert missing["error"]["code"] == "unreadable_file"
    assert answered["label"] == "7"
    assert refused["error"]["code"] == "unsupported_image_format"
    assert f"{gone}: cannot be read: No such file" in result.stderr
    assert f"{broken}: the image is not a PNG" in result.stderr
    assert "2 of 3 files were left out" in result.stderr


def test_a_folder_stands_for_its_pictures_and_warped_ones_keep_apart(
    gateway: str, tmp_path: Path
) -> None:
    """Files of one name in two folders, and of two kinds in one, do not overwrite each other."""
    scans, seen = tmp_path / "scans", tmp_path / "seen"
    for name in ("a/7.png", "b/7.png", "b/7.PNG", "b/notes.txt"):
        (scans / name).parent.mkdir(parents=True, exist_ok=True)
        (scans / name).write_bytes(DIGIT.read_bytes())

    result = run(gateway, "predict", "--save-warped", seen, "--json", scans)

    assert result.exit_code == 0, result.output
    made = sorted(str(file.relative_to(seen)) for file in seen.rglob("*.png"))
    assert made == [f"{name}.warped.png" for name in ("a/7.png", "b/7.PNG", "b/7.png")]
    assert sorted(line["warped"] for line in lines(result)) == [str(seen / name) for name in made]
    with Image.open(seen / made[0]) as picture:
        assert picture.format == "PNG"


def test_an_empty_folder_is_said_to_be_one(tmp_path: Path) -> None:
    result = run("http://127.0.0.1:1", "predict", tmp_path)

    assert result.exit_code == 1
    assert "there is no picture in" in result.stderr


def test_warp_turns_a_picture_that_is_not_square_without_shearing_it(
    gateway: str, tmp_path: Path
) -> None:
    """By 90 degrees, what lies in the middle is what NumPy's turn shows there."""
    pixels = np.random.default_rng(3).integers(0, 256, (9, 15), np.uint8)
    source, turned = tmp_path / "wide.png", tmp_path / "new" / "turned.png"
    Image.fromarray(pixels).save(source)

    result = run(
        gateway, "warp", source, "--rotate", "90", "--interpolation", "nearest", "-o", turned
    )

    assert result.exit_code == 0, result.output
    assert str(turned) in result.stdout
    with Image.open(turned) as picture:
        warped = np.asarray(picture)
    assert warped.shape == (9, 15)
    np.testing.assert_array_equal(warped[:, 3:12], np.rot90(pixels)[3:12, :])


def test_warp_heeds_the_orientation_of_a_photo(gateway: str, tmp_path: Path) -> None:
    """A turn is one of the picture as it is seen, which lies on its side in the file."""
    exif = Image.Exif()
    exif[0x0112] = 6
    source = tmp_path / "photo.jpg"
    Image.fromarray(np.zeros((9, 15, 3), np.uint8)).save(source, exif=exif)

    result = run(gateway, "warp", source, "--rotate", "90", "--json", "-o", tmp_path / "out.png")

    assert result.exit_code == 0, result.output
    theta = lines(result)[0]["theta"]
    assert theta[0][1] == pytest.approx(-14 / 8)
    assert theta[1][0] == pytest.approx(8 / 14)


@pytest.mark.parametrize("theta", ["1,0,0.25,0,1,0", "[[1, 0, 0.25], [0, 1, 0]]"])
def test_warp_takes_theta_as_it_is(gateway: str, tmp_path: Path, theta: str) -> None:
    result = run(gateway, "warp", CAT, "--theta", theta, "--json", "-o", tmp_path / "out.png")

    assert lines(result)[0]["theta"] == [[1, 0, 0.25], [0, 1, 0]]


@pytest.mark.parametrize(
    "words",
    [
        ("warp", CAT, "--theta", "1,2"),
        ("warp", CAT, "--theta", "1,0,0,0,1,0", "--rotate", "5"),
        ("warp", CAT, "--rotate", "nan"),
        ("predict", "--concurrency", "0", CAT),
        ("--timeout", "0", "models"),
        ("predict",),
    ],
)
def test_what_is_not_understood_ends_with_2(words: tuple[str | Path, ...]) -> None:
    """Before anything is asked of anybody."""
    assert run("http://127.0.0.1:1", *words).exit_code == 2


def test_models_are_listed(gateway: str) -> None:
    rows = [line.split() for line in run(gateway, "models").stdout.splitlines()]
    documents = lines(run(gateway, "models", "--json"))

    assert rows[1] == ["stn", str(SHIPPED), "AVAILABLE", "yes", "stable"]
    assert [document["name"] for document in documents] == ["stn", "warp"]


def test_a_bench_says_what_it_found(gateway: str) -> None:
    """Whatever this machine bears: each step and each size was asked."""
    words = ("bench", "--seconds", "0", "--up-to", "4", "--max-latency-ms", "600000", DIGIT)

    documents = lines(run(gateway, words[0], "--json", *words[1:]))
    result = run(gateway, *words)

    assert [document["concurrency"] for document in documents[:-1]] == [1, 2, 4]
    assert all(document["rate"] > 0 for document in documents[:-1])
    assert set(documents[-1]["ms_per_image"]) == {"1", "2", "4", "8", "16", "32", "64"}
    assert result.exit_code == 0, result.output
    assert "Sustainable:" in result.stdout
    assert "max_batch_size {" in result.stdout


def test_a_gateway_that_is_not_there_ends_it_at_once(tmp_path: Path) -> None:
    """Not after as many tries as there are files."""
    stub = Stub()
    stub.close()
    files = [tmp_path / f"{number}.png" for number in range(300)]
    for file in files:
        file.write_bytes(b"picture")

    result = run(stub.url, "--attempts", "1", "predict", tmp_path)

    assert result.exit_code == 3
    assert result.stderr.count("no answer from") == 1
    assert "the same would befall the other 299" in result.stderr
    assert run(stub.url, "--attempts", "1", "models").exit_code == 3


def test_a_key_that_is_not_known_ends_it_at_once(stub: Stub) -> None:
    stub.answers = [problem(401, "unauthorized")]

    result = run(stub.url, "predict", "--concurrency", "1", DIGIT, CAT, key="stn_secret")

    assert result.exit_code == 3
    assert "unauthorized" in result.stderr
    assert stub.requests[0][0]["authorization"] == "Bearer stn_secret"
    assert "stn_secret" not in result.output


def test_refusals_for_the_moment_are_asked_again(stub: Stub) -> None:
    stub.answers = [problem(503, "overloaded", retry_after="0"), good()]

    result = run(stub.url, "predict", DIGIT)

    assert result.exit_code == 0, result.output
    assert len(stub.requests) == 2


def test_no_more_requests_at_a_time_than_allowed(stub: Stub, tmp_path: Path) -> None:
    stub.answers = [good()]
    for number in range(50):
        (tmp_path / f"{number}.png").write_bytes(b"picture")

    result = run(stub.url, "predict", "--concurrency", "3", tmp_path)

    assert result.exit_code == 0, result.output
    assert len(stub.requests) == 50
    assert stub.busiest <= 3


@pytest.mark.parametrize("command", [(), ("predict",), ("warp",), ("models",), ("bench",)])
def test_help_teaches(command: tuple[str, ...]) -> None:
    result = run("", *command, "--help")

    assert result.exit_code == 0
    assert "Exit codes:" in result.stdout
    assert "\b" not in result.stdout


def test_it_is_a_program(stub: Stub) -> None:
    """Started as people start it; there are rows on its output, and nothing besides."""
    stub.answers = [good()]
    ran = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-m",
            "stn_client",
            "--url",
            stub.url,
            "predict",
            DIGIT,
            CAT,
        ],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
        cwd=DIGIT.parents[2],
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(ran.stdout.splitlines()) == 3
