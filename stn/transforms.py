"""The transforms by name: how many parameters each has, its identity, its bounds, its map."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import tensorflow as tf

from stn._shapes import LARGEST, as_affine, as_coordinates, as_parameters
from stn.lattice import Lattice
from stn.projection import project
from stn.spline import spline_displacement


@dataclass(frozen=True)
class Transform:
    """A family of maps from output to input points.

    Attributes:
        name: what `transform=` takes.
        parameters: the name of each number of theta, in order.
        identity: theta of the identity.
        limits: how far each number may move from the identity in the bounded parameterisation.
    """

    name: str
    parameters: tuple[str, ...] = ()
    identity: tuple[float, ...] = ()
    limits: tuple[float, ...] = field(default=(), repr=False)

    @property
    def num_parameters(self) -> int:
        """How many numbers theta has for each image."""
        return len(self.parameters)

    @property
    def has_matrix(self) -> bool:
        """Whether the map is a matrix, so that it can be composed and inverted."""
        return True

    def matrix(self, theta: tf.Tensor) -> tf.Tensor:
        """Return `(batch, 2, 3)`, or `(batch, 3, 3)` for projective, of `(batch, parameters)`."""
        raise NotImplementedError

    def points(self, theta: tf.Tensor, lattice: Lattice) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the source point `(x, y)` of each target point; NaN where there is none."""
        return project(self.matrix(theta), lattice)


@dataclass(frozen=True)
class _Affine(Transform):
    def matrix(self, theta: tf.Tensor) -> tf.Tensor:
        return as_affine(theta)


@dataclass(frozen=True)
class _Attention(Transform):
    def matrix(self, theta: tf.Tensor) -> tf.Tensor:
        scale, x, y = tf.unstack(as_parameters(theta, 3, self.name), axis=1)
        zero = tf.zeros_like(scale)
        return _rows([scale, zero, x], [zero, scale, y])


@dataclass(frozen=True)
class _Translation(Transform):
    def matrix(self, theta: tf.Tensor) -> tf.Tensor:
        x, y = tf.unstack(as_parameters(theta, 2, self.name), axis=1)
        zero, one = tf.zeros_like(x), tf.ones_like(x)
        return _rows([one, zero, x], [zero, one, y])


@dataclass(frozen=True)
class _Similarity(Transform):
    def matrix(self, theta: tf.Tensor) -> tf.Tensor:
        angle, scale, x, y = tf.unstack(as_parameters(theta, 4, self.name), axis=1)
        nowhere = ~(tf.abs(angle) < LARGEST)
        angle = tf.where(nowhere, tf.zeros_like(angle), angle)
        x = tf.where(nowhere, tf.constant(float("nan"), x.dtype), x)
        cos, sin = scale * tf.cos(angle), scale * tf.sin(angle)
        return _rows([cos, -sin, x], [sin, cos, y])


@dataclass(frozen=True)
class _Projective(Transform):
    def matrix(self, theta: tf.Tensor) -> tf.Tensor:
        theta = as_coordinates(theta, "theta")
        if theta.shape.rank == 3 and theta.shape[1:].is_compatible_with([3, 3]):
            flat = tf.reshape(theta, [-1, 9])
            flat = tf.math.divide_no_nan(flat, flat[:, 8:])[:, :8]
        else:
            flat = as_parameters(theta, 8, self.name)
        # Division by the denominator would turn the gradient of a wild theta into NaN.
        usable = tf.reduce_all(tf.abs(flat) < LARGEST, axis=1, keepdims=True)
        behind = tf.constant([0, 0, 0, 0, 0, 0, 0, 0, -1], flat.dtype)
        whole = tf.concat([flat, tf.ones_like(flat[:, :1])], axis=1)
        return tf.reshape(tf.where(usable, whole, behind), [-1, 3, 3])


@dataclass(frozen=True)
class ThinPlateSpline(Transform):
    """A thin-plate spline over a regular grid of control points.

    Attributes:
        rows: rows of control points.
        columns: columns of control points.
    """

    rows: int = 4
    columns: int = 4

    @property
    def has_matrix(self) -> bool:
        """False: a spline bends."""
        return False

    def points(self, theta: tf.Tensor, lattice: Lattice) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the source point `(x, y)` of each target point."""
        theta = as_parameters(theta, self.num_parameters, self.name)
        return displaced(lattice, *spline_displacement(theta, lattice, self.rows, self.columns))


@dataclass(frozen=True)
class _Flow(Transform):
    @property
    def has_matrix(self) -> bool:
        return False

    def points(self, theta: tf.Tensor, lattice: Lattice) -> tuple[tf.Tensor, tf.Tensor]:
        theta = as_coordinates(theta, "flow")
        if theta.shape.rank != 4 or theta.shape[3] != 2:
            raise ValueError(
                f"flow must have shape (batch, height, width, 2), that of the output; "
                f"got {theta.shape}"
            )
        for axis, times in enumerate(lattice.oversampling, start=1):
            theta = tf.repeat(theta, times, axis=axis) if times > 1 else theta
        return displaced(lattice, theta[..., 0], theta[..., 1])


def displaced(lattice: Lattice, x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the lattice moved by `(x, y)`, which are in normalised units of the input."""
    zoom_x, zoom_y = lattice.ratio
    x = (lattice.x * zoom_x)[tf.newaxis, tf.newaxis, :] + lattice.source_extent[0] * x
    y = (lattice.y * zoom_y)[tf.newaxis, :, tf.newaxis] + lattice.source_extent[1] * y
    return x + lattice.source_middle[0], y + lattice.source_middle[1]


def thin_plate_spline(rows: int = 4, columns: int = 4) -> ThinPlateSpline:
    """Return the thin-plate spline over a regular grid of control points.

    Args:
        rows: rows of control points; at least 2.
        columns: columns of control points; at least 2.

    Returns:
        A `Transform` with `2 * rows * columns` parameters, known to `get_transform` by its name.

    Raises:
        ValueError: fewer than 2 x 2 control points.

    Source: Bookstein, Principal Warps (1989); Jaderberg et al. (2015), section 3.2.
    """
    if min(rows, columns) < 2:
        raise ValueError(f"a spline needs at least 2 x 2 control points; got {rows} x {columns}")
    count = rows * columns
    return ThinPlateSpline(
        "tps" if (rows, columns) == (4, 4) else f"tps_{rows}x{columns}",
        tuple(f"d{axis}{k}" for k in range(count) for axis in "xy"),
        (0.0,) * (2 * count),
        (1.0 / max(rows, columns),) * (2 * count),
        rows,
        columns,
    )


_ALL: dict[str, Transform] = {
    transform.name: transform
    for transform in (
        _Affine(
            "affine",
            ("xx", "xy", "x", "yx", "yy", "y"),
            (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
            (0.75, 0.75, 0.75, 0.75, 0.75, 0.75),
        ),
        _Attention("attention", ("scale", "x", "y"), (1.0, 0.0, 0.0), (0.75, 0.75, 0.75)),
        _Similarity(
            "similarity",
            ("angle", "scale", "x", "y"),
            (0.0, 1.0, 0.0, 0.0),
            (3.14159265, 0.75, 0.75, 0.75),
        ),
        _Translation("translation", ("x", "y"), (0.0, 0.0), (1.0, 1.0)),
        _Projective(
            "projective",
            ("xx", "xy", "x", "yx", "yy", "y", "wx", "wy"),
            (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0),
            # Together the last two keep the horizon outside the output.
            (0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 0.45, 0.45),
        ),
        thin_plate_spline(),
        _Flow("flow"),
    )
}


def get_transform(name: str | Transform) -> Transform:
    """Return a transform by name.

    Args:
        name: `"affine"`, `"attention"`, `"similarity"`, `"translation"`, `"projective"`, `"tps"`
            (4 x 4 control points), `"tps_3x5"` (any other number of rows and columns) or `"flow"`;
            or a `Transform`, which is handed back.

    Returns:
        The `Transform`.

    Raises:
        ValueError: there is none of that name.

    Example:
        >>> get_transform("attention").parameters
        ('scale', 'x', 'y')

    Source: Jaderberg et al. (2015), section 3.2, for the parametrisations.
    """
    if isinstance(name, Transform):
        return name
    if name in _ALL:
        return _ALL[name]
    rows, cross, columns = name.removeprefix("tps_").partition("x")
    if name.startswith("tps_") and cross and rows.isdigit() and columns.isdigit():
        return thin_plate_spline(int(rows), int(columns))
    raise ValueError(f"transform must be one of {', '.join(_ALL)} or tps_RxC; got {name!r}")


def _rows(first: Sequence[tf.Tensor], second: Sequence[tf.Tensor]) -> tf.Tensor:
    return tf.stack([tf.stack(first, axis=1), tf.stack(second, axis=1)], axis=1)
