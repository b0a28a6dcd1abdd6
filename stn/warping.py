"""Warp: a transform and a sampler as one differentiable operation."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import tensorflow as tf

from stn._context import Backend, choose_backend, compiling
from stn._shapes import Size, as_coordinates, check_image, image_size, size_tensor
from stn.adjoint import affine_image_gradient
from stn.kernels import kernel_forward, supports
from stn.lattice import Lattice, pixel_lattice
from stn.sampler import (
    Sampling,
    compute_type,
    image_gradient,
    points_gradient,
    sample_forward,
    valid_fraction,
)
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
    spec = _Spec(
        transform,
        Sampling(interpolation, padding, float(fill_value), align_corners),
        _known(static),
        _oversampling(antialias, image, static),
        tf.as_dtype(dtype or image.dtype),
    )
    offered = supports(transform, spec.sampling) and tf.float64 not in (image.dtype, theta.dtype)
    chosen = choose_backend(backend, offered, training, spec.output_size is not None)
    warped = _differentiable(
        image, theta, tensor, spec, chosen, forced=backend in ("xla", "gather")
    )
    if not return_mask:
        return warped
    lattice = spec.lattice(image_size(image), tensor, theta.dtype)
    points = transform.points(tf.stop_gradient(theta), lattice)
    mask = valid_fraction(*points, image_size(image), align_corners)
    return warped, _average(mask, spec.oversampling)


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


@dataclass(frozen=True)
class _Spec:
    """All that is settled before the numbers come: what a compiled warp is compiled for."""

    transform: Transform
    sampling: Sampling
    output_size: tuple[int, int] | None
    oversampling: tuple[int, int]
    dtype: tf.DType

    def lattice(self, input_size: Size, output_size: Size, dtype: tf.DType) -> Lattice:
        return pixel_lattice(
            input_size,
            self.output_size or output_size,
            dtype,
            self.sampling.align_corners,
            self.oversampling,
        )

    def compiled(self) -> "_Spec":
        return replace(self, sampling=replace(self.sampling, compiled=True))


def _differentiable(
    image: tf.Tensor,
    theta: tf.Tensor,
    output_size: tf.Tensor,
    spec: _Spec,
    backend: Backend,
    forced: bool,
) -> tf.Tensor:
    """The warp with gradients of its own, one function each, so that none is computed in vain."""
    # Gradients belong to training, not to what is exported: compiled wherever there is a graph.
    by_itself = backend == "xla" if forced else not tf.executing_eagerly()
    by_itself = by_itself and not compiling() and spec.output_size is not None

    def call(step: Callable[..., tf.Tensor], apart: bool, *arguments: tf.Tensor) -> tf.Tensor:
        if apart:
            return _compile(step, spec.compiled(), *arguments)(*arguments)
        here = spec.compiled() if compiling() else spec
        return step(here, output_size, *arguments)

    @tf.custom_gradient
    def run(image: tf.Tensor, theta: tf.Tensor) -> tuple[tf.Tensor, Callable[..., object]]:
        if backend == "kernel":
            lattice = spec.lattice(image_size(image), output_size, theta.dtype)
            warped = kernel_forward(image, theta, spec.transform, lattice, spec.sampling)
            warped = _finish(warped, spec)
        else:
            warped = call(_forward, backend == "xla" and not compiling(), image, theta)

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor | None, tf.Tensor]:
            to_image = None
            if image.dtype.is_floating:
                to_image = call(_to_image, by_itself, image, theta, upstream)
            return to_image, call(_to_theta, by_itself, image, theta, upstream)

        return warped, gradient

    return run(image, theta)


def _forward(spec: _Spec, output_size: Size, image: tf.Tensor, theta: tf.Tensor) -> tf.Tensor:
    points = spec.transform.points(theta, spec.lattice(image_size(image), output_size, theta.dtype))
    return _finish(sample_forward(image, *points, spec.sampling), spec)


def _to_theta(
    spec: _Spec, output_size: Size, image: tf.Tensor, theta: tf.Tensor, upstream: tf.Tensor
) -> tf.Tensor:
    lattice = spec.lattice(image_size(image), output_size, theta.dtype)
    with tf.GradientTape() as tape:
        tape.watch(theta)
        x, y = spec.transform.points(theta, lattice)
    upstream = _spread(upstream, spec.oversampling)
    to_points = points_gradient(image, x, y, upstream, spec.sampling)
    return tape.gradient([x, y], theta, list(to_points))


def _to_image(
    spec: _Spec, output_size: Size, image: tf.Tensor, theta: tf.Tensor, upstream: tf.Tensor
) -> tf.Tensor:
    how, transform = spec.sampling, spec.transform
    size = image_size(image)
    lattice = spec.lattice(size, output_size, theta.dtype)
    upstream = tf.cast(_spread(upstream, spec.oversampling), compute_type(image, theta))

    def scatter() -> tf.Tensor:
        points = transform.points(theta, lattice)
        return image_gradient(tf.shape(image), *points, upstream, how)

    gatherable = (
        how.compiled
        and how.interpolation == "bilinear"
        and how.padding in ("zeros", "constant")
        and spec.oversampling == (1, 1)
        and transform.has_matrix
        and transform.name != "projective"
        and _comparable(image, spec)
    )
    if gatherable:
        source = (
            spec.lattice(size, size, theta.dtype)
            if spec.output_size is None
            else replace(spec, output_size=None).lattice(size, size, theta.dtype)
        )
        total = affine_image_gradient(transform.matrix(theta), lattice, source, upstream, scatter)
    else:
        total = scatter()
    total = tf.cast(total, image.dtype)
    total.set_shape(image.shape)
    return total


def _comparable(image: tf.Tensor, spec: _Spec) -> bool:
    """The gather form costs as many pixels as the input has; not worth it for a small crop."""
    size = image.shape[1:3]
    if spec.output_size is None or not size.is_fully_defined():
        return True
    return size.num_elements() <= 4 * spec.output_size[0] * spec.output_size[1]


@lru_cache(maxsize=256)
def _compiled(
    step: Callable[..., tf.Tensor],
    spec: _Spec,
    shapes: tuple[tuple[tuple[int | None, ...], tf.DType], ...],
) -> Callable[..., tf.Tensor]:
    """Return `step` compiled for tensors of these types and shapes, a function of its own."""
    signature = [tf.TensorSpec(shape, dtype) for shape, dtype in shapes]

    def body(*arguments: tf.Tensor) -> tf.Tensor:
        return step(spec, spec.output_size, *arguments)

    body.__name__ = f"stn{step.__name__}"
    # Not in an init_scope, which would pause the tape within.
    return tf.function(
        body, jit_compile=True, autograph=False, input_signature=signature
    ).get_concrete_function()


def _compile(
    step: Callable[..., tf.Tensor], spec: _Spec, *arguments: tf.Tensor
) -> Callable[..., tf.Tensor]:
    shapes = tuple((tuple(t.shape.as_list()), t.dtype) for t in arguments)
    return _compiled(step, spec, shapes)


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


def _finish(values: tf.Tensor, spec: _Spec) -> tf.Tensor:
    values = _average(values, spec.oversampling)
    if spec.dtype.is_integer:
        return tf.saturate_cast(tf.round(values), spec.dtype)
    return tf.cast(values, spec.dtype)


def _average(values: tf.Tensor, oversampling: tuple[int, int]) -> tf.Tensor:
    """Average the points within each output pixel."""
    rows, columns = oversampling
    if (rows, columns) == (1, 1):
        return values
    shape, static = tf.shape(values), values.shape
    cells = tf.reshape(
        values,
        tf.stack([shape[0], shape[1] // rows, rows, shape[2] // columns, columns, shape[3]]),
    )
    averaged = tf.reduce_mean(cells, axis=[2, 4])
    averaged.set_shape(
        [
            static[0],
            static[1] and static[1] // rows,
            static[2] and static[2] // columns,
            static[3],
        ]
    )
    return averaged


def _spread(upstream: tf.Tensor, oversampling: tuple[int, int]) -> tf.Tensor:
    """The gradient of `_average`."""
    rows, columns = oversampling
    if (rows, columns) == (1, 1):
        return upstream
    upstream = tf.repeat(tf.repeat(upstream, rows, axis=1), columns, axis=2)
    return upstream / (rows * columns)
