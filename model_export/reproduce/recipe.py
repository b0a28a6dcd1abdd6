"""How a cell of the table is trained."""

from dataclasses import dataclass, replace

_PLAIN_EPOCHS = {"R": 60, "RTS": 40, "P": 40, "E": 60, "TC": 30}


@dataclass(frozen=True)
class Recipe:
    """The settings of one training.

    Attributes:
        epochs: passes over the training digits, each time distorted anew.
        batch_size: images per step.
        cycles: how many parts the epochs have, of equal length, each with a learning rate of its
            own that rises and falls to zero.
        learning_rate: peak rate; 5 % linear warm-up, then cosine to zero.
        localizer_rate: factor on that rate for the localization network.
        weight_decay: of matrices and kernels.
        smoothing: of labels: this share of the target is spread over all classes.
        dropout: before the last layer.
        averaging: decay of the exponential moving average of the weights that are evaluated.
        share_bent: share of training digits that are bent besides, by a thin-plate spline.
        bend: standard deviation of its control points, in pixels of the canvas.
        jitter: standard deviation of the numbers of a 2 x 2 matrix about one, applied besides.
        num_validation: training digits held out for the curve.
    """

    epochs: int = 60
    cycles: int = 1
    batch_size: int = 128
    learning_rate: float = 2e-3
    localizer_rate: float = 0.3
    weight_decay: float = 0.02
    smoothing: float = 0.05
    dropout: float = 0.3
    averaging: float = 0.999
    share_bent: float = 0.5
    bend: float = 1.5
    jitter: float = 0.05
    num_validation: int = 2000


def recipe_for(experiment: str, network: str) -> Recipe:
    """Return the recipe of a cell; docs/training.md tells how they were found."""
    recipe = Recipe()
    if experiment == "R":
        # Slower, the localizer leaves most of the turning to the rest. The smaller canvas is bent
        # as much as the larger ones are, for its size. After one cycle its loss is still the
        # highest of all.
        recipe = replace(recipe, epochs=120, cycles=2, localizer_rate=1.0, bend=1.0)
    if experiment == "TC":
        # Faster, the localizer follows the clutter or nothing at all.
        recipe = replace(recipe, localizer_rate=0.1)
    if experiment == "E":
        # It is bent already.
        recipe = replace(recipe, share_bent=0.0)
    if network == "cnn":
        # Together they take about as long as one cycle of the affine spatial transformer.
        recipe = replace(recipe, epochs=_PLAIN_EPOCHS[experiment], cycles=1)
    return recipe
