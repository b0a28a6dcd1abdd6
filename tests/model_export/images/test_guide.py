"""The commands of the guide, one after the other, on coloured pictures with a light ground."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model_export.cli import main
from model_export.images.prepare import open_prepared
from model_export.images.report import REPORT
from model_export.images.subjects import open_asked
from model_export.session_model import SessionModel
from tests.model_export.images.conftest import draw_bars
from tests.versions import SHIPPED

SHIPPED_MODELS = Path(__file__).parents[3] / "models"
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bars as ink on paper, those that lie twice."""
    folder = draw_bars(tmp_path_factory.mktemp("pictures") / "light", 40)
    for path in folder.rglob("*.png"):
        with Image.open(path) as picture:
            inverted = 255 - np.asarray(picture)
        Image.fromarray(inverted).convert("RGB").save(path)
    for path in list(folder.glob("lying/*.png")):
        shutil.copy(path, path.with_name(f"copy-{path.name}"))
    return folder


@pytest.fixture(scope="module")
def run(light: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "light"
    settings = ["--epochs", "2", "--batch-size", "16", "--transform", "projective", "--balanced"]
    command = ["train", "--images", str(light), "--run", str(folder), "--channels", "3"]
    assert main([*command, *settings]) == 0
    return folder


@pytest.fixture(scope="module")
def models(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    command = ["export", "--run", str(run), "--models", str(folder), "--name", "bars"]
    assert main([*command, "--only", "stn"]) == 0
    return folder


def evaluate(capsys: Capture, *arguments: object) -> tuple[dict[str, object], str]:
    """Return the figures, and what was said besides."""
    assert main(["evaluate", *map(str, arguments), "--json"]) == 0
    said = capsys.readouterr()
    return json.loads(said.out), said.err


def test_the_export_conforms_and_its_card_has_the_error_of_the_test(
    run: Path, models: Path, capsys: Capture
) -> None:
    assert main(["check", str(models / "bars")]) == 0

    measured = json.loads((run / "metrics.json").read_text())["test"]
    with SessionModel(models / "bars" / "1") as model:
        card = json.loads(np.asarray(model.run("describe")["card"]).item())
    (error,) = card["test_errors"]
    assert error["num_images"] == measured["num_images"] == 12, "15 % of 40 of each, copies once"
    assert error["num_wrong"] == measured["num_wrong"]


def test_an_exported_model_is_asked_as_it_was_trained(run: Path, models: Path) -> None:
    with open_asked(models / "bars") as asked:
        assert asked.spec == open_prepared(run).spec
        assert asked.spec.background == 255
        assert (asked.labels, asked.transform) == (("lying", "standing"), "projective")


def test_a_run_is_evaluated_on_the_pictures_it_kept_for_that(run: Path, capsys: Capture) -> None:
    figures, _ = evaluate(capsys, run)

    assert figures == json.loads((run / "metrics.json").read_text())["test"]
    assert "How it learnt" in (run / REPORT).read_text()


def test_other_pictures_may_be_of_one_class_and_leave_the_runs_own_report_alone(
    run: Path, light: Path, models: Path, tmp_path: Path, capsys: Capture
) -> None:
    other = draw_bars(tmp_path / "other", 6, seed=1)
    for path in (other / "lying").iterdir():
        path.rename(other / "standing" / f"lying-{path.name}")
    (other / "lying").rmdir()
    (other / "standing" / "broken.png").write_bytes(b"no picture")
    before = (run / REPORT).read_text()

    figures, said = evaluate(capsys, run, "--images", other)
    page = tmp_path / "other.html"
    exported, _ = evaluate(capsys, models / "bars", "--images", other, "--report", page)

    classes = figures["classes"]
    assert isinstance(classes, list)
    assert [(row["label"], row["num_images"]) for row in classes] == [
        ("lying", 0),
        ("standing", 12),
    ]
    assert figures["num_wrong"] == exported["num_wrong"]
    assert "left out: standing/broken.png: UnidentifiedImageError" in said
    assert "trained on" not in said
    assert (run / REPORT).read_text() == before
    text = page.read_text()
    assert "lying" in text
    assert text.count("data:image/png;base64,") >= 3
    assert "http" not in text, "a page that needs nothing from elsewhere"


def test_a_classifier_of_pictures_needs_a_name_of_its_own(
    run: Path, tmp_path: Path, capsys: Capture
) -> None:
    command = ["export", "--run", str(run), "--models", str(tmp_path)]

    assert main(command) == 2
    assert "--name is needed" in capsys.readouterr().err
    assert main([*command, "--name", "warp"]) == 2
    assert "'warp' is the transformer alone" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_version_of_other_classes_is_told_of_and_no_second_warp_is_written(
    run: Path, tmp_path: Path, capsys: Capture
) -> None:
    stn, warp = SHIPPED_MODELS / "stn" / str(SHIPPED), SHIPPED_MODELS / "warp" / "1"
    shutil.copytree(stn, tmp_path / "any" / "1")
    shutil.copytree(warp, tmp_path / "warp" / "1")
    command = ["export", "--run", str(run), "--models", str(tmp_path), "--name", "any"]

    assert main(command) == 0
    first = capsys.readouterr().err
    assert main(command) == 0
    second = capsys.readouterr().err

    assert "any/1 has other classes (0, 1, 2, 3, 4 and 5 more) than" in first
    assert "(lying, standing)" in first
    assert "other classes" not in second
    assert sorted(path.name for path in (tmp_path / "any").iterdir()) == ["1", "2", "3"]
    assert [path.name for path in (tmp_path / "warp").iterdir()] == ["1"]


def test_an_unfinished_run_is_said_to_be_one(run: Path, tmp_path: Path, capsys: Capture) -> None:
    begun = Path(shutil.copytree(run, tmp_path / "begun"))
    metrics = json.loads((begun / "metrics.json").read_text())
    del metrics["test"]
    (begun / "metrics.json").write_text(json.dumps(metrics))

    _, said = evaluate(capsys, begun)

    assert "has not come to its end" in said


def test_a_run_among_the_pictures_is_refused(light: Path, capsys: Capture) -> None:
    within = light / "run"

    assert main(["train", "--images", str(light), "--run", str(within)]) == 2
    assert "lies among the pictures" in capsys.readouterr().err
    assert not within.exists()


def test_who_evaluates_on_pictures_that_were_trained_on_is_told(
    run: Path, light: Path, capsys: Capture
) -> None:
    figures, said = evaluate(capsys, run, "--images", light)

    assert figures["num_images"] == 80
    assert "40 pictures are copies of others, and left aside" in said
    assert "68 of these 80 pictures were trained on" in said


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--data", "sample"], "--data is for digits"),
        (["--pictures", "out"], "--pictures is for digits"),
    ],
)
def test_options_for_digits_are_refused(
    more: list[str], message: str, run: Path, capsys: Capture
) -> None:
    assert main(["evaluate", str(run), *more]) == 2
    assert message in capsys.readouterr().err


def test_an_exported_classifier_of_pictures_needs_pictures(models: Path, capsys: Capture) -> None:
    assert main(["evaluate", str(models / "bars"), "--data", "sample"]) == 2
    assert "name pictures for it with --images" in capsys.readouterr().err
