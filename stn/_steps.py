"""The steps of a warp: forward, gradient to theta, gradient to the image; compiled or not."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import tensorflow as tf

from stn._context import Backend, compiling
from stn._shapes import Size, image_size
from stn.adjoint import affine_image_gradient
from stn.kernels import kernel_forward
from stn.lattice import Lattice, pixel_lattice
from stn.sampler import (
    Sampling,
    compute_type,
    image_gradient,
    points_gradient,
    sample_forward,
)
from stn.transforms import Transform


@dataclass(frozen=True)
class Spec:
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

    def compiled(self) -> "Spec":
        return replace(self, sampling=replace(self.sampling, compiled=True))


def differentiable(
    image: tf.Tensor,
    theta: tf.Tensor,
    output_size: tf.Tensor,
    spec: Spec,
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


def _forward(spec: Spec, output_size: Size, image: tf.Tensor, theta: tf.Tensor) -> tf.Tensor:
    points = spec.transform.points(theta, spec.lattice(image_size(image), output_size, theta.dtype))
    return _finish(sample_forward(image, *points, spec.sampling), spec)


def _to_theta(
    spec: Spec, output_size: Size, image: tf.Tensor, theta: tf.Tensor, upstream: tf.Tensor
) -> tf.Tensor:
    lattice = spec.lattice(image_size(image), output_size, theta.dtype)
    with tf.GradientTape() as tape:
        tape.watch(theta)
        x, y = spec.transform.points(theta, lattice)
    upstream = _spread(upstream, spec.oversampling)
    to_points = points_gradient(image, x, y, upstream, spec.sampling)
    return tape.gradient([x, y], theta, list(to_points))


def _to_image(
    spec: Spec, output_size: Size, image: tf.Tensor, theta: tf.Tensor, upstream: tf.Tensor
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


def _comparable(image: tf.Tensor, spec: Spec) -> bool:
    """The gather form costs as many pixels as the input has; not worth it for a small crop."""
    size = image.shape[1:3]
    if spec.output_size is None or not size.is_fully_defined():
        return True
    return size.num_elements() <= 4 * spec.output_size[0] * spec.output_size[1]


@lru_cache(maxsize=256)
def _compiled(
    step: Callable[..., tf.Tensor],
    spec: Spec,
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
    step: Callable[..., tf.Tensor], spec: Spec, *arguments: tf.Tensor
) -> Callable[..., tf.Tensor]:
    shapes = tuple((tuple(t.shape.as_list()), t.dtype) for t in arguments)
    return _compiled(step, spec, shapes)


def _finish(values: tf.Tensor, spec: Spec) -> tf.Tensor:
    values = average(values, spec.oversampling)
    if spec.dtype.is_integer:
        return tf.saturate_cast(tf.round(values), spec.dtype)
    return tf.cast(values, spec.dtype)


def average(values: tf.Tensor, oversampling: tuple[int, int]) -> tf.Tensor:
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
    """The gradient of `average`."""
    rows, columns = oversampling
    if (rows, columns) == (1, 1):
        return upstream
    upstream = tf.repeat(tf.repeat(upstream, rows, axis=1), columns, axis=2)
    return upstream / (rows * columns)
