"""What the documentation shows is what happens."""

import doctest
import importlib
import inspect
import pkgutil
import re
import textwrap
from pathlib import Path

import pytest
import tensorflow as tf

import stn

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_code_of_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All blocks, in order, as one program."""
    monkeypatch.chdir(tmp_path)
    text = (DOCS / "stn.md").read_text()
    blocks = re.findall(r"^( *)```python\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 10

    names: dict[str, object] = {}
    for _, block in blocks:
        exec(compile(textwrap.dedent(block), "docs/stn.md", "exec"), names)  # noqa: S102

    assert (tmp_path / "where-it-looks.png").stat().st_size > 1000


def test_the_pictures_of_the_guide_are_there() -> None:
    """No image is missing."""
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", (DOCS / "stn.md").read_text())

    assert pictures
    for picture in pictures:
        assert (DOCS / picture).is_file(), picture


@pytest.mark.parametrize("module", [m.name for m in pkgutil.iter_modules(stn.__path__)])
def test_the_examples_of_docstrings_are_true(module: str) -> None:
    """Run as doctests."""
    loaded = importlib.import_module(f"stn.{module}")

    results = doctest.testmod(loaded, extraglobs={**vars(stn), "tf": tf})

    assert results.failed == 0


def _public() -> list[str]:
    return [name for name in stn.__all__ if callable(getattr(stn, name))]


@pytest.mark.parametrize("name", _public())
def test_every_public_name_is_documented(name: str) -> None:
    """Its arguments by name, what comes back, its errors where it has any, and its source."""
    thing = getattr(stn, name)
    text = inspect.getdoc(thing) or ""

    assert len(text.splitlines()[0]) > 20
    if name in ("Transform", "Decomposition"):
        assert "Attributes:" in text
        return
    signature = inspect.signature(thing)
    for argument in signature.parameters.values():
        if argument.name not in ("kwargs", "self"):
            assert f"{argument.name}:" in text, argument.name
    assert "Source:" in text
    assert "Returns:" in text or inspect.isclass(thing)


def test_all_is_complete_and_sorted() -> None:
    """What is imported for others is named, once, in order."""
    assert sorted(stn.__all__) == stn.__all__
    for name in stn.__all__:
        assert hasattr(stn, name)
