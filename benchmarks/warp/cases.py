"""The images and thetas of the benchmark, always the same."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """A batch to warp.

    Attributes:
        shape: `(batch, height, width, channels)`.
        output: `(height, width)` of the output.
    """

    shape: tuple[int, int, int, int]
    output: tuple[int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the output."""
        return self.output or self.shape[1:3]

    @property
    def label(self) -> str:
        """The shape as one reads it."""
        return "x".join(map(str, self.shape))

    def image(self) -> Array:
        """White noise: the hardest to cache, and nothing to be clever about."""
        return np.random.default_rng(0).normal(size=self.shape).astype(np.float32)

    def upstream(self) -> Array:
        """A gradient to send back."""
        shape = (self.shape[0], *self.size, self.shape[3])
        return np.random.default_rng(1).normal(size=shape).astype(np.float32)

    def affine(self) -> Array:
        """Rotation within half a radian, scale 0.8 to 1.1, shift within 0.15: `(batch, 2, 3)`."""
        rng, batch = np.random.default_rng(2), self.shape[0]
        angle, scale = rng.uniform(-0.5, 0.5, batch), rng.uniform(0.8, 1.1, batch)
        theta = np.zeros((batch, 2, 3))
        theta[:, 0, 0] = theta[:, 1, 1] = scale * np.cos(angle)
        theta[:, 1, 0] = scale * np.sin(angle)
        theta[:, 0, 1] = -theta[:, 1, 0]
        theta[:, :, 2] = rng.uniform(-0.15, 0.15, (batch, 2))
        return theta.astype(np.float32)

    def attention(self) -> Array:
        """Scale 0.4 to 0.7, shift within 0.25: `(batch, 3)`, and inside the image."""
        rng, batch = np.random.default_rng(3), self.shape[0]
        shift = rng.uniform(-0.25, 0.25, (batch, 2))
        return np.column_stack([rng.uniform(0.4, 0.7, batch), shift]).astype(np.float32)

    def projective(self) -> Array:
        """The affine maps with a slight perspective: `(batch, 3, 3)`."""
        rng, batch = np.random.default_rng(4), self.shape[0]
        last = np.column_stack([rng.uniform(-0.1, 0.1, (batch, 2)), np.ones(batch)])
        return np.concatenate([self.affine(), last[:, np.newaxis]], axis=1).astype(np.float32)

    def spline(self) -> Array:
        """Displacements of 4 x 4 control points: `(batch, 32)`."""
        rng = np.random.default_rng(5)
        return rng.normal(0, 0.05, (self.shape[0], 32)).astype(np.float32)


DIGITS = Case((32, 28, 28, 1))
PHOTOS = Case((32, 224, 224, 3))
LARGE = Case((8, 512, 512, 3))
FEATURES = Case((32, 56, 56, 64))


def attention_as_affine(theta: Array) -> Array:
    """Return `(batch, 2, 3)` of `(batch, 3)`, for peers without attention."""
    affine = np.zeros((len(theta), 2, 3), np.float32)
    affine[:, 0, 0] = affine[:, 1, 1] = theta[:, 0]
    affine[:, :, 2] = theta[:, 1:]
    return affine
