"""What a training run is made of."""

from argparse import Namespace
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

RECIPES = ("rts", "robust")
POLARITIES = ("light_on_dark", "dark_on_light")


@dataclass(frozen=True)
class TrainingConfig:
    """The settings of a run; they are written beside the weights.

    Attributes:
        recipe: how digits are drawn: `rts`, or `robust`, where some of them are also drawn with
            any pen, in any size, turned further, and on grey paper (see `shifts.ANYHOW`).
        epochs: passes over the training digits, each distorted anew.
        batch_size: images per step.
        learning_rate: peak rate; 5 % linear warm-up, then cosine to zero.
        localizer_rate: factor on that rate for the localization network. At 1.0 it is known to die.
        weight_decay: of matrices and kernels only.
        averaging: decay of the moving average of the weights, which is what is kept.
        share_close: share of RTS digits drawn closer than that, as people crop them.
        share_anyhow: of the recipe `robust`: share of each batch that is drawn so.
        num_validation: digits held out of training to draw the curves by; at most a fifth of them.
        seed: of weights, order, distortion and dropout.
    """

    recipe: str = "rts"
    epochs: int = 60
    batch_size: int = 128
    learning_rate: float = 2e-3
    localizer_rate: float = 0.3
    weight_decay: float = 0.02
    averaging: float = 0.999
    share_close: float = 0.25
    share_anyhow: float = 0.5
    num_validation: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained with."""
        if self.recipe not in RECIPES:
            raise ValueError(f"recipe must be one of {', '.join(RECIPES)}; got {self.recipe!r}")
        least = {"epochs": 1, "batch_size": 1, "num_validation": 1, "seed": 0, "weight_decay": 0}
        for name, minimum in least.items():
            if not getattr(self, name) >= minimum:
                raise ValueError(f"{name} must be at least {minimum}; got {getattr(self, name)}")
        for name in ("learning_rate", "localizer_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive; got {getattr(self, name)}")
        for name in ("share_close", "share_anyhow"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie between 0 and 1; got {getattr(self, name)}")
        if not 0 <= self.averaging < 1:
            raise ValueError(f"averaging must be at least 0 and below 1; got {self.averaging}")


def refuse_given(options: Namespace, names: Iterable[str], why: str) -> None:
    """Refuse options that were given and would change nothing.

    Args:
        options: as they were read, None for what was not given.
        names: of those that must not be given.
        why: what follows the first one's flag in the message.

    Raises:
        ValueError: one was given.
    """
    flags = {"imports": "import"}
    for name in names:
        if getattr(options, name) is not None:
            raise ValueError(f"--{flags.get(name, name.replace('_', '-'))} {why}")


def given_settings(options: Namespace, settings: type[Any]) -> dict[str, Any]:
    """Return the options that set a field of a dataclass of settings; the rest keep its defaults.

    Args:
        options: with None for what was not given.
        settings: the dataclass.
    """
    given = {field.name: getattr(options, field.name) for field in fields(settings)}
    return {name: value for name, value in given.items() if value is not None}
