""".env.example names each knob of the compose files, and no other."""

import re

from tests.compose.model import CPU, ROOT, variables

EXAMPLE = (ROOT / ".env.example").read_text()
ASSIGNMENT = re.compile(r"^#([A-Z_]+)=(.*)$", re.MULTILINE)

# Read by Compose itself.
COMPOSES_OWN = {"COMPOSE_FILE": "docker-compose.yml:docker-compose.cpu.yml"}


def test_it_shows_every_variable_with_its_default() -> None:
    assert dict(ASSIGNMENT.findall(EXAMPLE)) == variables(CPU) | COMPOSES_OWN


def test_copied_it_changes_nothing() -> None:
    """Every line is a comment: a default that is set would hide that of another file."""
    assert [line for line in EXAMPLE.splitlines() if line and not line.startswith("#")] == []


def test_every_variable_has_words() -> None:
    """Each assignment follows a sentence, or another assignment of the same paragraph."""
    paragraphs = [p.splitlines() for p in EXAMPLE.split("\n\n")]

    bare = [p[0] for p in paragraphs if ASSIGNMENT.match(p[0])]
    assert bare == []
