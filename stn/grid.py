"""The grid generators: where each output pixel looks in the input, in normalised units."""

import tensorflow as tf

from stn._shapes import Size, as_coordinates
from stn.lattice import normalised_lattice, pixel_lattice
from stn.transforms import Transform, get_transform, thin_plate_spline


def transform_grid(
    theta: tf.Tensor,
    output_size: Size,
    transform: str | Transform = "affine",
    align_corners: bool = True,
) -> tf.Tensor:
    """Return, for every output pixel, the point of the input it looks at, by any transform.

    The map runs backwards, from output to input, so that a scale of 0.5 zooms in by two.
    Coordinates are normalised: x grows to the right, y downwards, and -1 and +1 are the centres of
    the first and last pixel of an axis.

    Args:
        theta: float, as the transform has it, see `warp`.
        output_size: `(height, width)` in pixels, as integers or an int32 tensor; a side of 1 looks
            at the middle.
        transform: a name that `get_transform` knows, or a `Transform`.
        align_corners: -1 and +1 are the centres of the outermost pixels, else their outer edges.

    Returns:
        Tensor `(batch, height, width, 2)`, last axis `(x, y)` in normalised units; float32, or
        float64 when theta is. Values outside [-1, 1] point outside the input; points behind the
        horizon of a projective transform are NaN.

    Raises:
        ValueError: theta has another shape, or a side is not positive.

    Source: Jaderberg et al., Spatial Transformer Networks (2015), section 3.2.
    """
    theta = as_coordinates(theta, "theta")
    lattice = normalised_lattice(output_size, theta.dtype, align_corners)
    grid = tf.stack(get_transform(transform).points(theta, lattice), axis=-1)
    grid.set_shape([theta.shape[0], *lattice.static_size, 2])
    return grid


def affine_grid(theta: tf.Tensor, output_size: Size, align_corners: bool = True) -> tf.Tensor:
    """Return where each output pixel looks under an affine map; otherwise as `transform_grid`.

    Args:
        theta: float `(batch, 2, 3)` or `(batch, 6)`; row one gives source x, row two source y, from
            target `(x, y, 1)`. The identity is `[[1, 0, 0], [0, 1, 0]]`.
        output_size: `(height, width)` in pixels.
        align_corners: see `transform_grid`.

    Returns:
        Tensor `(batch, height, width, 2)`.

    Raises:
        ValueError: as `transform_grid`.

    Example:
        >>> grid = affine_grid(tf.constant([[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]]), (2, 3))
        >>> grid[0, 0].numpy().tolist()
        [[-1.0, -1.0], [0.0, -1.0], [1.0, -1.0]]

    Source: Jaderberg et al. (2015), equation 1.
    """
    return transform_grid(theta, output_size, "affine", align_corners)


def attention_grid(theta: tf.Tensor, output_size: Size, align_corners: bool = True) -> tf.Tensor:
    """Return where each output pixel looks in an axis-aligned crop; otherwise as `transform_grid`.

    Args:
        theta: float `(batch, 3)`: `(scale, x, y)`, the crop's half side and its middle. The
            identity is `(1, 0, 0)`.
        output_size: `(height, width)` in pixels.
        align_corners: see `transform_grid`.

    Returns:
        Tensor `(batch, height, width, 2)`.

    Raises:
        ValueError: as `transform_grid`.

    Source: Jaderberg et al. (2015), equation 2.
    """
    return transform_grid(theta, output_size, "attention", align_corners)


def translation_grid(theta: tf.Tensor, output_size: Size, align_corners: bool = True) -> tf.Tensor:
    """Return where each output pixel looks after a shift; otherwise as `transform_grid`.

    Args:
        theta: float `(batch, 2)`: `(x, y)`, in normalised units; the identity is `(0, 0)`.
        output_size: `(height, width)` in pixels.
        align_corners: see `transform_grid`.

    Returns:
        Tensor `(batch, height, width, 2)`.

    Raises:
        ValueError: as `transform_grid`.

    Source: Jaderberg et al. (2015), section 3.2.
    """
    return transform_grid(theta, output_size, "translation", align_corners)


def similarity_grid(theta: tf.Tensor, output_size: Size, align_corners: bool = True) -> tf.Tensor:
    """Return where each output pixel looks under rotation, scale and shift.

    The rotation is one of the normalised square: on a picture that is not square, the angle between
    two lines is kept in normalised units, not in pixels. Otherwise as `transform_grid`.

    Args:
        theta: float `(batch, 4)`: `(angle, scale, x, y)`, in radians from x towards y. The
            identity is `(0, 1, 0, 0)`.
        output_size: `(height, width)` in pixels.
        align_corners: see `transform_grid`.

    Returns:
        Tensor `(batch, height, width, 2)`.

    Raises:
        ValueError: as `transform_grid`.

    Source: Jaderberg et al. (2015), section 3.2.
    """
    return transform_grid(theta, output_size, "similarity", align_corners)


def projective_grid(theta: tf.Tensor, output_size: Size, align_corners: bool = True) -> tf.Tensor:
    """Return where each output pixel looks under a homography; otherwise as `transform_grid`.

    Args:
        theta: float `(batch, 8)`, the matrix row by row, its last number being 1; or
            `(batch, 3, 3)`, which is divided by its last number. The identity is
            `(1, 0, 0, 0, 1, 0, 0, 0)`.
        output_size: `(height, width)` in pixels.
        align_corners: see `transform_grid`.

    Returns:
        Tensor `(batch, height, width, 2)`; NaN for points on or behind the horizon, where the
        denominator is not positive.

    Raises:
        ValueError: as `transform_grid`.

    Source: Hartley and Zisserman, Multiple View Geometry (2004), section 2.3.
    """
    return transform_grid(theta, output_size, "projective", align_corners)


def tps_grid(
    theta: tf.Tensor,
    output_size: Size,
    control_points: tuple[int, int] = (4, 4),
    align_corners: bool = True,
) -> tf.Tensor:
    """Return where each output pixel looks under a thin-plate spline.

    The spline takes each point of a regular grid over the output to that point plus its
    displacement, and bends as little as it can between. Otherwise as `transform_grid`.

    Args:
        theta: float `(batch, 2 * rows * columns)`: `(dx, dy)` of each control point, row by row, in
            normalised units. The identity is all zeros.
        output_size: `(height, width)` in pixels.
        control_points: `(rows, columns)`, spread evenly over [-1, 1].
        align_corners: see `transform_grid`.

    Returns:
        Tensor `(batch, height, width, 2)`.

    Raises:
        ValueError: as `transform_grid`; or fewer than 2 x 2 control points.

    Source: Bookstein, Principal Warps (1989); Jaderberg et al. (2015), section 3.2.
    """
    return transform_grid(theta, output_size, thin_plate_spline(*control_points), align_corners)


def flow_grid(flow: tf.Tensor, align_corners: bool = True) -> tf.Tensor:
    """Return where each output pixel looks when each has a displacement of its own.

    Args:
        flow: float `(batch, height, width, 2)`: `(dx, dy)`, normalised units of the input, added to
            where the identity looks. The identity is all zeros.
        align_corners: see `transform_grid`.

    Returns:
        Tensor `(batch, height, width, 2)`; see `transform_grid`.

    Raises:
        ValueError: flow has another shape.

    Source: Zhou et al., View Synthesis by Appearance Flow (2016).
    """
    flow = tf.convert_to_tensor(flow)
    if flow.shape.rank != 4:
        raise ValueError(f"flow must have shape (batch, height, width, 2); got {flow.shape}")
    size = flow.shape[1:3]
    known = size.as_list() if size.is_fully_defined() else tf.shape(flow)[1:3]
    return transform_grid(flow, known, "flow", align_corners)


def affine_pixel_grid(
    theta: tf.Tensor, input_size: Size, output_size: Size
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the points of `affine_grid` in pixels of the input, the identity exactly.

    Args:
        theta: float `(batch, 2, 3)` or `(batch, 6)`, as in `affine_grid`.
        input_size: `(height, width)` of the picture that is sampled.
        output_size: `(height, width)` of the picture that is made.

    Returns:
        `(x, y)`, each `(batch, height, width)`, 0 being the centre of the first pixel.

    Raises:
        ValueError: as `affine_grid`.
    """
    theta = as_coordinates(theta, "theta")
    return get_transform("affine").points(
        theta, pixel_lattice(input_size, output_size, theta.dtype)
    )
