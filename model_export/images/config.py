"""What a training on your own pictures is made of."""

from dataclasses import dataclass

TRANSFORMS = ("affine", "attention", "similarity", "translation", "projective", "tps")


@dataclass(frozen=True)
class ImageConfig:
    """The settings of a run on pictures; they are written beside the weights.

    Attributes:
        transform: of the spatial transformer, one of `TRANSFORMS`.
        epochs: passes over the training pictures, at most.
        patience: epochs without a better validation loss after which training stops.
        batch_size: pictures per step; fewer when there are fewer.
        learning_rate: peak rate; 5 % linear warm-up, then cosine to zero.
        localizer_rate: factor on that rate for the localization network.
        weight_decay: of matrices and kernels.
        smoothing: share of each target that is spread over all classes.
        dropout: before the last layer.
        averaging: decay of the moving average of the weights, which are what is kept.
        augment: how far each picture is moved at random: 1 is up to 15 degrees, a fifth in size, a
            tenth of a side; 0 is not at all.
        balanced: draw each class equally often.
        class_weights: weigh each picture by how rare its class is.
        validation_share: of the pictures of each class, to choose the epoch by.
        test_share: of the pictures of each class, looked at once, at the end.
        seed: of weights, order, augmentation and dropout.
    """

    transform: str = "affine"
    epochs: int = 60
    patience: int = 15
    batch_size: int = 64
    learning_rate: float = 2e-3
    localizer_rate: float = 0.1
    weight_decay: float = 0.02
    smoothing: float = 0.05
    dropout: float = 0.3
    averaging: float = 0.99
    augment: float = 1.0
    balanced: bool = False
    class_weights: bool = False
    validation_share: float = 0.15
    test_share: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained with."""
        if self.transform not in TRANSFORMS:
            raise ValueError(
                f"transform must be one of {', '.join(TRANSFORMS)}; got {self.transform!r}"
            )
        for name in ("epochs", "patience", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        for name in ("seed", "weight_decay"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0; got {getattr(self, name)}")
        for name in ("learning_rate", "localizer_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive; got {getattr(self, name)}")
        for name in ("validation_share", "test_share"):
            if not 0 < getattr(self, name) <= 0.4:
                raise ValueError(f"{name} must lie above 0, at most 0.4; got {getattr(self, name)}")
        for name in ("smoothing", "dropout", "averaging"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must lie in 0 to 1, below 1; got {getattr(self, name)}")
        if not 0 <= self.augment <= 3:
            raise ValueError(f"augment must lie between 0 and 3; got {self.augment}")
        if self.balanced and self.class_weights:
            raise ValueError("balanced and class_weights correct for the same thing; take one")
