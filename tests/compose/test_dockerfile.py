"""What the gateway's image promises, as far as it can be read."""

import json
import re
import tomllib

from tests.compose.model import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
# One instruction a line, without comments.
LINES = re.sub(r"\\\n", " ", re.sub(r"^ *#.*\n", "", DOCKERFILE, flags=re.MULTILINE)).splitlines()
FINAL = LINES[max(i for i, line in enumerate(LINES) if line.startswith("FROM")) :]


def instruction(name: str) -> str:
    """Return the arguments of the only instruction of that name in the final stage."""
    (found,) = [line.split(maxsplit=1)[1] for line in FINAL if line.startswith(f"{name} ")]
    return found


def test_it_builds_without_asking_a_registry_for_a_syntax_or_a_digest() -> None:
    assert not re.search(r"^# *syntax", DOCKERFILE, re.MULTILINE | re.IGNORECASE)
    assert "@sha256:" not in DOCKERFILE


def test_packages_from_an_index_are_locked_by_hash() -> None:
    """The one install without hashes is of the wheel just built, and reaches no index."""
    installs = [part for line in LINES for part in line.split("&&") if " install " in part]

    assert len(installs) == 3
    assert [i for i in installs if "--require-hashes" not in i and "--no-index" not in i] == []


def test_no_tensorflow_is_installed() -> None:
    """test_requirements.py holds that gateway.txt has none; otel.txt is for whoever asks for it."""
    locks = set(re.findall(r"requirements/\S+\.txt", " ".join(LINES)))

    assert locks == {"requirements/build.txt", "requirements/${REQUIREMENTS}.txt"}
    assert "ARG REQUIREMENTS=gateway" in LINES


def test_it_runs_as_a_number_that_is_not_root() -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", instruction("USER"))


def test_signals_reach_the_gateway() -> None:
    """A list, not a string: no shell in between."""
    assert json.loads(instruction("ENTRYPOINT")) == ["stn-serve"]
    assert instruction("STOPSIGNAL") == "SIGTERM"


def test_its_health_is_that_the_process_answers() -> None:
    """Readiness depends on the model server, which restarting the gateway does not mend."""
    command = json.loads(instruction("HEALTHCHECK").partition("CMD ")[2])

    assert command[-1] == "/livez"


def test_it_is_labelled_with_the_version_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert f"ARG VERSION={project['version']}" in FINAL
    assert 'image.version="${VERSION}"' in instruction("LABEL")
    assert f'image.licenses="{project["license"]}"' in instruction("LABEL")


def test_nothing_is_sent_to_the_build_but_what_it_copies() -> None:
    copied = {
        source.rstrip("/")
        for line in LINES
        if line.startswith("COPY ") and "--from" not in line
        for lock in ("gateway", "otel")
        for source in line.replace("${REQUIREMENTS}", lock).split()[1:-1]
    }
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in ignore if line.startswith("!")}

    assert "*" in ignore
    assert {
        next((a for a in allowed if f"{c}/".startswith(f"{a}/")), "") for c in copied
    } == allowed
