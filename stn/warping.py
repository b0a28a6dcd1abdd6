"""Warp: a transform and a sampler as one differentiable operation."""

from typing import Any

import tensorflow as tf

from stn._context import Backend, choose_backend
from stn._shapes import Size, as_coordinates, check_image, image_size, size_tensor
from stn._steps import Spec, average, differentiable
from stn.kernels import supports
from stn.sampler import Sampling, valid_fraction
from stn.taps import Interpolation, Padding
from stn.transforms import Transform, get_transform


def warp(
    image: tf.Tensor,
    theta: tf.Tensor,
    transform: str | Transform = "affine",
    output_size: Size | None = None,
    *,
    interpolation: Interpolation = "bilinear",
    padding: Padding = "zeros",
    fill_value: float = 0.0,
    align_corners: bool = True,
    antialias: bool | int | tuple[int, int] = False,
    return_mask: bool = False,
    dtype: tf.DType | str | None = None,
    backend: Backend = "auto",
    training: bool = False,
) -> Any:
    """Warp images by a transform from output to input coordinates.

    The identity at equal size returns the image bit for bit. Differentiable with respect to theta
    and the image. A theta that is not finite, like a point behind the horizon, gives `fill_value`
    and no gradient.

    Args:
        image: float or uint8 `(batch, height, width, channels)`.
        theta: float `(batch, num_parameters)` of the transform; affine also `(batch, 2, 3)`,
            projective also `(batch, 3, 3)`, flow `(batch, out_height, out_width, 2)`. A batch of 1,
            of theta or of images, serves all of the other.
        transform: a name that `get_transform` knows, or a `Transform`.
        output_size: `(height, width)` in pixels, integers or an int32 tensor; the image's when left
            out, a flow's own.
        interpolation: `"bilinear"`, `"nearest"` (halves to the even pixel) or `"bicubic"`.
        padding: what lies outside: `"zeros"`, `"constant"` (`fill_value`), `"border"`,
            `"reflection"` or `"wrap"`.
        fill_value: the constant, in the image's units.
        align_corners: -1 and +1 are the centres of the outermost pixels, else their outer edges.
        antialias: average that many points a side in each output pixel, `(rows, columns)` when they
            differ; True takes the ratio of input to output size, at most 8. The outermost pixels
            reach beyond the picture by half a pixel unless `align_corners` is False.
        return_mask: also return how much of each output pixel was seen.
        dtype: type of the result; the image's when left out. Bytes are rounded to the nearest.
        backend: `"auto"`, `"xla"` (compiled by itself), `"kernel"` (TensorFlow's image kernels),
            `"gather"` (portable ops, fit for TensorFlow Lite).
        training: lets `"auto"` compile the warp in a graph. Without it the graph has stock ops
            alone, so that it can be exported; its gradients are compiled all the same.

    Returns:
        Tensor `(batch, *output_size, channels)`; with `return_mask` also float
        `(batch, *output_size, 1)`, the share of each output pixel's points that lie on the image.

    Raises:
        ValueError: a shape, type or name is not as above.

    Example:
        >>> image = tf.constant([[[[1.0], [2.0], [3.0]]]])
        >>> warp(image, tf.constant([[0.5, 0.0]]), "translation").numpy().ravel().tolist()
        [1.5, 2.5, 1.5]

    Source: Jaderberg et al., Spatial Transformer Networks (2015), section 3.
    """
    image = check_image(image)
    transform = get_transform(transform)
    theta = _as_theta(theta, transform)
    if output_size is None:
        flow = not transform.num_parameters
        output_size = _flow_size(theta) if flow else image_size(image)
    tensor, static = size_tensor(output_size, "output_size")
    image, theta = _same_batch(image, theta)
    spec = Spec(
        transform,
        Sampling(interpolation, padding, float(fill_value), align_corners),
        _known(static),
        _oversampling(antialias, image, static),
        tf.as_dtype(dtype or image.dtype),
    )
    offered = supports(transform, spec.sampling) and tf.float64 not in (image.dtype, theta.dtype)
    chosen = choose_backend(backend, offered, training, spec.output_size is not None)
    warped = differentiable(image, theta, tensor, spec, chosen, forced=backend in ("xla", "gather"))
    if not return_mask:
        return warped
    lattice = spec.lattice(image_size(image), tensor, theta.dtype)
    points = transform.points(tf.stop_gradient(theta), lattice)
    mask = valid_fraction(*points, image_size(image), align_corners)
    return warped, average(mask, spec.oversampling)


def spatial_transformer_network(
    input_fmap: tf.Tensor, theta: tf.Tensor, out_dims: Size | None = None
) -> tf.Tensor:
    """Warp a feature map by an affine transform.

    The identity at equal size returns the input bit for bit. (In `stn` 1.0.1 it shrank the input by
    (W-2)/(W-1); `theta_from_1_0_1` carries weights trained there over.)

    Args:
        input_fmap: float or uint8 `(batch, height, width, channels)`.
        theta: float `(batch, 6)` or `(batch, 2, 3)`: the map from output to input coordinates, see
            `affine_grid`. A batch of 1 serves all images.
        out_dims: `(height, width)` of the output; the input's when left out.

    Returns:
        Tensor `(batch, *out_dims, channels)` of the input's type, zero where the grid leaves the
        input, and zero throughout for a theta that is not finite.

    Raises:
        ValueError: a shape or type is not as above.

    Example:
        >>> image = tf.random.uniform([1, 5, 7, 3])
        >>> identity = tf.constant([[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]])
        >>> bool(tf.reduce_all(spatial_transformer_network(image, identity) == image))
        True

    Source: Jaderberg et al. (2015), sections 3.2 and 3.3; the call of `stn` 1.0.1.
    """
    return warp(input_fmap, theta, output_size=out_dims)


def _as_theta(theta: tf.Tensor, transform: Transform) -> tf.Tensor:
    """Return theta in float32 or float64; its shape is the transform's to check."""
    return as_coordinates(theta, "flow" if not transform.num_parameters else "theta")


def _known(size: list[int | None]) -> tuple[int, int] | None:
    height, width = size
    return None if height is None or width is None else (height, width)


def _flow_size(flow: tf.Tensor) -> Size:
    if flow.shape.rank != 4:
        raise ValueError(f"flow must have shape (batch, height, width, 2); got {flow.shape}")
    return image_size(flow)


def _same_batch(image: tf.Tensor, theta: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Repeat the one of a batch of 1; the gradient sums over the repetitions by itself."""
    images, thetas = image.shape[0], theta.shape[0]
    if images == thetas and images is not None:
        return image, theta
    if images == 1:
        shape = tf.concat([tf.shape(theta)[:1], tf.shape(image)[1:]], axis=0)
        repeated = tf.broadcast_to(image, shape)
        repeated.set_shape([thetas, *image.shape[1:]])
        return repeated, theta
    if thetas not in (1, None) and images is not None:
        raise ValueError(
            f"theta must have the batch of the image, {images}, or a batch of 1; got {thetas}"
        )
    shape = tf.concat([tf.shape(image)[:1], tf.shape(theta)[1:]], axis=0)
    repeated = tf.broadcast_to(theta, shape)
    repeated.set_shape([images, *theta.shape[1:]])
    return image, repeated


def _oversampling(
    antialias: bool | int | tuple[int, int], image: tf.Tensor, output: list[int | None]
) -> tuple[int, int]:
    if antialias is False:
        return (1, 1)
    if antialias is True:
        sides = [*image.shape[1:3], *output]
        if None in sides:
            raise ValueError(
                "antialias=True needs sizes known when the graph is built; "
                f"got input {image.shape[1:3]} and output {output}. Give a number instead."
            )
        height, width, out_height, out_width = sides
        return min(8, -(-height // out_height)), min(8, -(-width // out_width))
    rows, columns = (antialias, antialias) if isinstance(antialias, int) else antialias
    if min(rows, columns) < 1:
        raise ValueError(f"antialias must be at least 1 point a side; got {antialias}")
    return rows, columns
