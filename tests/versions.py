"""The version of the classifier that is shipped, and the one before it, for tests of two."""

from pathlib import Path

SHIPPED = 2
FORMER = 1
SHIPPED_FOLDER = Path(__file__).parents[1] / "models" / "stn" / str(SHIPPED)
# Not below `models/`: what is served should be the best, and only that.
FORMER_FOLDER = Path(__file__).parent / "models" / "stn" / str(FORMER)
