"""Who may depend on whom."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def modules_after(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after a statement."""
    program = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def test_the_import_contracts_hold() -> None:
    """The contracts of pyproject.toml hold for every import, a lazy one included."""
    lint_imports = Path(sys.executable).parent / "lint-imports"

    run = subprocess.run(
        [lint_imports, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stdout + run.stderr


def test_the_gateway_starts_without_tensorflow() -> None:
    """Importing the application loads neither TensorFlow nor anything that brings it."""
    loaded = modules_after("import service.app")

    heavy = {
        "tensorflow",
        "tensorflow_serving",
        "keras",
        "h5py",
        "matplotlib",
        "stn",
        "model_export",
    }
    assert "service" in loaded
    assert not loaded & heavy


def test_the_library_loads_none_of_its_users() -> None:
    """Importing `stn` brings TensorFlow, and neither the exporter nor the gateway."""
    loaded = modules_after("import stn")

    assert {"stn", "tensorflow"} <= loaded
    assert not loaded & {"model_export", "service", "fastapi", "tensorflow_serving"}
