"""The same weights make the same version folder, byte for byte."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from model_export.canonical import make_canonical
from model_export.data import Digits, load_sample
from model_export.export import export_classifier
from model_export.foreign.classifier import open_keras_classifier
from model_export.saved_models import save_classifier, save_warp
from model_export.version_folder import folder_digest
from tests.model_export.test_start import classifier

# An export that happens to say when it was made would never be the same.
EPOCH = {"SOURCE_DATE_EPOCH": "1700000000"}
_EXPORT = """
import sys
from pathlib import Path
from model_export.quiet import load_tensorflow
load_tensorflow(int(sys.argv[3]))
from tests.model_export.test_reproducible import export_both
export_both(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def export_both(run_folder: Path, models: Path) -> None:
    """Export a run as `stn-model export` does, and write a warp, whose checks take long."""
    sample = load_sample()
    parts = sample.train_images, sample.train_labels, sample.test_images, sample.test_labels
    export_classifier(run_folder, Digits("a few", *(part[:20] for part in parts)), models)
    save_warp("{}", models / "warp")


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_exports_of_two_processes_and_of_this_one_are_the_same_bytes(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This process has numbered many layers and functions before; the others are fresh.

    Each has a number of threads of its own.
    """
    environment = {**os.environ, **EPOCH}
    for threads, name in enumerate(("one", "other"), 1):
        arguments = [str(run_folder), str(tmp_path / name), str(threads)]
        command = [sys.executable, "-c", _EXPORT, *arguments]
        subprocess.run(command, env=environment, check=True, capture_output=True)
    monkeypatch.setenv(*next(iter(EPOCH.items())))
    export_both(run_folder, tmp_path / "here")

    written = files(tmp_path / "one")

    assert len(written) > 8
    for name in ("other", "here"):
        again = files(tmp_path / name)
        assert again.keys() == written.keys()
        assert [path for path in written if written[path] != again[path]] == []
        assert folder_digest(tmp_path / name) == folder_digest(tmp_path / "one")


def test_any_keras_model_is_exported_twice_as_the_same_bytes(tmp_path: Path) -> None:
    classifier(side=30).save(tmp_path / "model.keras")

    for name in ("one", "other"):
        subject = open_keras_classifier(tmp_path / "model.keras")
        save_classifier(subject.model, list(subject.labels), "{}", tmp_path / name)

    assert files(tmp_path / "one") == files(tmp_path / "other")


def test_the_digest_sees_each_byte_and_each_name(models: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(models / "warp" / "1", copy)
    digest = folder_digest(copy)
    assert digest == folder_digest(models / "warp" / "1")

    path = copy / "saved_model.pb"
    path.write_bytes(path.read_bytes() + b"\0")
    changed = folder_digest(copy)
    path.rename(copy / "saved_model.pbtxt")

    assert len({digest, changed, folder_digest(copy)}) == 3


def graph_of(folder: Path) -> GraphDef:
    saved = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    return saved.meta_graphs[0].graph_def


def test_functions_are_numbered_from_zero_and_in_order(models: Path) -> None:
    names = [
        function.signature.name for function in graph_of(models / "warp" / "1").library.function
    ]
    stems: dict[str, set[int]] = {}
    for name in names:
        stem, number = re.fullmatch(r"(.*_)(\d+)", name).groups()  # type: ignore[union-attr]
        stems.setdefault(stem, set()).add(int(number))

    assert names == sorted(names)
    assert all(numbers == set(range(len(numbers))) for numbers in stems.values())


def test_a_canonical_folder_stays_as_it_is(models: Path, tmp_path: Path) -> None:
    copy = tmp_path / "1"
    shutil.copytree(models / "stn" / "1", copy)
    before = files(copy)
    (copy / "fingerprint.pb").touch()

    make_canonical(copy)

    assert files(copy) == before


def test_variables_are_saved_in_the_order_of_the_layers(models: Path) -> None:
    """Localization network first: the graph runs it first, whatever address it lies at."""
    saved = SavedModel.FromString((models / "stn" / "1" / "saved_model.pb").read_bytes())
    nodes = saved.meta_graphs[0].object_graph_def.nodes
    names = [node.variable.name for node in nodes if node.HasField("variable")]

    is_localizer = np.array(["localization_network" in name for name in names])

    assert len(names) == 36
    assert is_localizer[:19].all()
    assert not is_localizer[19:].any()
