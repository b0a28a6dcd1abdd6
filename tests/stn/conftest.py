"""Seeded images and thetas; tolerances by type in one place."""

import numpy as np
import pytest

# Of values in [0, 1], on pictures of at most 64 pixels a side.
TOLERANCE = {"float16": 2e-3, "bfloat16": 1e-2, "float32": 2e-5, "float64": 1e-12}


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator of its own for each test, always the same."""
    return np.random.default_rng(20)
