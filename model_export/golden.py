"""Golden answers: what a version answered to its own warm-up requests when it was exported."""

import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from model_export.session_model import SessionModel
from model_export.undo import PromotionError
from model_export.verify import ExportRefusedError, refusing
from model_export.warmup import read_warmup, replay

Answers = list[dict[str, np.ndarray]]

# Other processors, and batches put together otherwise, sum in another order.
TOLERANCE = 1e-4

_FILE = Path("assets.extra") / "golden.npz"


def record_golden(folder: Path) -> None:
    """Replay a version folder's warm-up file as a model server would, and keep the answers.

    Raises:
        ExportRefusedError: a request fails, or an answer is not finite.
    """
    with refusing("the replay of its warm-up file"), SessionModel(folder) as model:
        answers = replay(read_warmup(folder), model)
    for number, answer in enumerate(answers):
        for name, values in answer.items():
            if not np.isfinite(values).all():
                raise ExportRefusedError(
                    f"'{name}' of warm-up request {number} has numbers that are not finite"
                )
    named: dict[str, Any] = {
        f"{number}.{name}": values
        for number, answer in enumerate(answers)
        for name, values in answer.items()
    }
    np.savez_compressed(folder / _FILE, **named)


def read_golden(folder: Path) -> Answers:
    """Return the answers in the order of the warm-up requests: arrays by name of output.

    Raises:
        FileNotFoundError: the version folder has none.
        ValueError: they are damaged.
    """
    path = folder / _FILE
    if not path.is_file():
        raise FileNotFoundError(f"{folder} has no golden answers ({_FILE}); export it again")
    answers: Answers = []
    try:
        # NumPy leaves a file open that it opened itself and cannot read.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            for key, values in stored.items():
                number, _, name = key.partition(".")
                while len(answers) <= int(number):
                    answers.append({})
                answers[int(number)][name] = values
    # An empty file, another kind of file, and a part of one that is cut short or changed.
    except (EOFError, ValueError, BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} is damaged; export it again") from error
    return answers


def compare_golden(expected: Answers, answers: Answers) -> float:
    """Return the largest difference between a version's golden answers and those of now.

    Raises:
        PromotionError: an answer differs by more than rounding may, or there is one on one side
            alone.
    """
    if len(expected) != len(answers):
        raise PromotionError(
            f"there are {len(answers)} warm-up requests and golden answers to {len(expected)}; "
            "export it again"
        )
    largest = 0.0
    for number, (wanted, got) in enumerate(zip(expected, answers, strict=True)):
        for name in sorted(wanted.keys() | got.keys()):
            what = f"'{name}' of golden request {number}"
            now, then = _form(got.get(name)), _form(wanted.get(name))
            if now != then:
                raise PromotionError(f"{what} must be {then}, as at the export; it is {now}")
            values = wanted[name]
            difference = float(np.abs(got[name].astype(float) - values.astype(float)).max())
            # Written so that a NaN is refused.
            if not difference <= TOLERANCE:
                raise PromotionError(
                    f"{what} differs by {difference:.3g} from the answer at export; at most "
                    f"{TOLERANCE:g} is rounding"
                )
            largest = max(largest, difference)
    return largest


def _form(values: np.ndarray | None) -> str:
    return "missing" if values is None else f"{values.dtype} {values.shape}"
