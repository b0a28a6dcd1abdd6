"""The others: torch, kornia, OpenCV, and `stn` 1.0.1 as it was published."""

import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import kornia
import numpy as np
import tensorflow as tf
import torch
import torch.nn.functional as F  # noqa: N812 (as everyone calls it)

from benchmarks.warp.cases import Array, Case

Call = Callable[[], object]

torch.set_num_threads(1)
cv2.setNumThreads(1)


def _planes(image: Array) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(0, 3, 1, 2)))


def _torch_warp(image: torch.Tensor, theta: torch.Tensor, case: Case) -> torch.Tensor:
    size = [case.shape[0], case.shape[3], *case.size]
    grid = F.affine_grid(theta, size, align_corners=True)
    return F.grid_sample(image, grid, align_corners=True)


def torch_forward(case: Case, theta: Array) -> Call:
    """Return `affine_grid` and `grid_sample`, channels first, as torch likes them."""
    image, matrix = _planes(case.image()), torch.from_numpy(theta)

    def run() -> torch.Tensor:
        with torch.no_grad():
            return _torch_warp(image, matrix, case)

    return run


def torch_backward(case: Case, theta: Array, to_image: bool = True) -> Call:
    """Return the same with gradients to theta, and to the image too."""
    image, matrix, upstream = (
        _planes(case.image()),
        torch.from_numpy(theta),
        _planes(case.upstream()),
    )

    def run() -> object:
        own_theta = matrix.detach().requires_grad_()
        own_image = image.detach().requires_grad_(to_image)
        _torch_warp(own_image, own_theta, case).backward(upstream)
        return own_theta.grad, own_image.grad

    return run


def kornia_projective(case: Case, theta: Array) -> Call:
    """Return `homography_warp`, whose matrix runs from output to input in normalised units."""
    image, matrix = _planes(case.image()), torch.from_numpy(theta)

    def run() -> torch.Tensor:
        with torch.no_grad():
            return kornia.geometry.transform.homography_warp(
                image, matrix, case.size, align_corners=True
            )

    return run


def kornia_spline(case: Case, theta: Array) -> Call:
    """Return `get_tps_transform` and `warp_image_tps`, over the same control points."""
    image = _planes(case.image())
    x, y = np.meshgrid(np.linspace(-1, 1, 4), np.linspace(-1, 1, 4))
    target = np.tile(np.stack([x.ravel(), y.ravel()], axis=1), (case.shape[0], 1, 1))
    source = target + theta.reshape(-1, 16, 2)
    target, source = (torch.from_numpy(a.astype(np.float32)) for a in (target, source))

    def run() -> torch.Tensor:
        with torch.no_grad():
            # It evaluates kernels at the points of the second argument.
            kernel, affine = kornia.geometry.transform.get_tps_transform(target, source)
            return kornia.geometry.transform.warp_image_tps(
                image, source, kernel, affine, align_corners=True
            )

    return run


def opencv_forward(case: Case, theta: Array) -> Call:
    """Return `warpAffine` over the batch, in float32."""
    image, (height, width) = case.image(), case.size
    to_pixels = np.array(
        [[(width - 1) / 2, 0, (width - 1) / 2], [0, (height - 1) / 2, (height - 1) / 2], [0, 0, 1]]
    )
    whole = np.concatenate([theta, np.tile([[[0, 0, 1]]], (len(theta), 1, 1))], axis=1)
    matrices = (to_pixels @ whole @ np.linalg.inv(to_pixels))[:, :2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP

    def run() -> list[Any]:
        return [
            cv2.warpAffine(one, matrix, (width, height), flags=flags)
            for one, matrix in zip(image, matrices, strict=True)
        ]

    return run


def load_1_0_1(wheel: Path) -> types.ModuleType:
    """Return the module of `stn` 1.0.1 from its wheel, unchanged; it runs on TensorFlow 2."""
    module = types.ModuleType("stn_1_0_1")
    with zipfile.ZipFile(wheel) as archive:
        source = archive.read("stn/transformer.py")
    exec(compile(source, "stn_1_0_1", "exec"), module.__dict__)  # noqa: S102 (a published release)
    return module


def old_forward(old: types.ModuleType, case: Case, theta: Array) -> Call:
    """Return `stn` 1.0.1 in a graph."""
    image, flat = tf.constant(case.image()), tf.constant(theta.reshape(-1, 6))

    @tf.function(autograph=False)
    def run(image: tf.Tensor, theta: tf.Tensor) -> tf.Tensor:
        return old.spatial_transformer_network(image, theta, case.output)

    step = run.get_concrete_function(image, flat)
    return lambda: step(image, flat)


def old_backward(old: types.ModuleType, case: Case, theta: Array, to_image: bool = True) -> Call:
    """Return `stn` 1.0.1 and the gradients that TensorFlow derives from it."""
    image, flat, upstream = (
        tf.constant(a) for a in (case.image(), theta.reshape(-1, 6), case.upstream())
    )

    @tf.function(autograph=False)
    def run(image: tf.Tensor, theta: tf.Tensor, upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
        with tf.GradientTape() as tape:
            wanted = [theta, image] if to_image else [theta]
            tape.watch(wanted)
            warped = old.spatial_transformer_network(image, theta, case.output)
        gradients = tape.gradient(warped, wanted, output_gradients=upstream)
        return warped, *map(tf.convert_to_tensor, gradients)

    step = run.get_concrete_function(image, flat, upstream)
    return lambda: step(image, flat, upstream)
