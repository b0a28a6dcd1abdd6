"""Settings: where they come from, and the page that lists them."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from service.__main__ import read_settings
from service.settings import Settings

ROOT = Path(__file__).parents[2]


def flag_of(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def test_the_defaults_keep_to_this_machine() -> None:
    settings = read_settings([])

    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.models == ROOT / "models"


def test_the_environment_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STN_MAX_PIXELS", "1234")

    assert read_settings([]).max_pixels == 1234


def test_a_flag_beats_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STN_MAX_PIXELS", "1234")

    assert read_settings(["--max-pixels", "99"]).max_pixels == 99
    assert read_settings(["--max-pixels=98"]).max_pixels == 98


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files write `STN_PORT=` where nothing is set."""
    monkeypatch.setenv("STN_PORT", "")

    assert read_settings([]).port == 8000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "-1"),
        ("port", "65536"),
        ("port", "http"),
        ("models", "/no/such/folder"),
        ("max_pixels", "0"),
        ("max_request_bytes", "10"),
        ("max_batch_images", "0"),
        ("max_batch_size", "0"),
        ("decode_threads", "0"),
        ("max_connections", "0"),
        ("max_head_bytes", "100"),
        ("head_timeout_seconds", "0"),
        ("keep_alive_seconds", "0"),
        ("answer_timeout_seconds", "0"),
        ("body_timeout_seconds", "0"),
        ("request_timeout_ms", "1.5"),
        ("max_request_timeout_ms", "0"),
        ("poll_seconds", "-1"),
        ("shutdown_grace_seconds", "-1"),
        ("drain_seconds", "-1"),
        ("workers", "0"),
    ],
)
def test_a_value_out_of_range_is_refused_from_flag_and_environment(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValidationError) as caught:
        read_settings([f"{flag_of(name)}={value}"])
    assert [fault["loc"] for fault in caught.value.errors()] == [(name,)]

    monkeypatch.setenv(f"STN_{name.upper()}", value)
    with pytest.raises(ValidationError):
        read_settings([])


def test_an_unknown_flag_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        read_settings(["--no-such-flag", "1"])

    assert caught.value.code == 2
    assert "--no-such-flag" in capsys.readouterr().err


def shown(value: object) -> str:
    """Return a default as the page writes it."""
    if isinstance(value, Path):
        return f"`{value.relative_to(ROOT)}`"
    return "none" if value is None else f"`{value}`"


def page() -> dict[str, tuple[str, str, str]]:
    """Return flag, variable and default of each setting that the page lists, by name."""
    text = (ROOT / "docs" / "configuration.md").read_text()
    rows = re.findall(r"^\| `--([\w-]+)` \| `(\w+)` \| (.*?) \| (.*) \|$", text, re.MULTILINE)
    return {
        flag.replace("-", "_"): (variable, default, meaning)
        for flag, variable, default, meaning in rows
    }


def test_the_page_on_configuration_lists_every_setting_with_its_default_and_no_other() -> None:
    expected = {
        name: (f"STN_{name.upper()}", shown(field.default))
        for name, field in Settings.model_fields.items()
    }

    assert {name: row[:2] for name, row in page().items()} == expected


def test_the_page_says_of_each_setting_what_the_help_says() -> None:
    expected = {name: field.description for name, field in Settings.model_fields.items()}

    assert {name: row[2] for name, row in page().items()} == expected


def test_the_help_lists_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        read_settings(["--help"])

    assert caught.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for name, field in Settings.model_fields.items():
        assert flag_of(name) in text
        assert field.description is not None
        assert " ".join(field.description.split()[:4]) in text
