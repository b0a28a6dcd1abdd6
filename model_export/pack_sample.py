"""Pack the sample: `python -m model_export.pack_sample --data FOLDER` writes `sample/digits.npz`.

The first 1,000 training and the first 1,000 test digits of MNIST, so that tests and a first try
need no network. The same digits give the same bytes.
"""

import argparse
from pathlib import Path

import numpy as np

from model_export.data import load_digits

SIZE = 1000
TARGET = Path(__file__).parent / "sample" / "digits.npz"


def pack_sample(source: str, target: Path = TARGET) -> None:
    """Write the first digits of the MNIST in folder `source` to `target`."""
    digits = load_digits(source)
    np.savez_compressed(
        target,
        train_images=digits.train_images[:SIZE],
        train_labels=digits.train_labels[:SIZE],
        test_images=digits.test_images[:SIZE],
        test_labels=digits.test_labels[:SIZE],
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="folder with the four idx files of MNIST")
    pack_sample(parser.parse_args().data)
