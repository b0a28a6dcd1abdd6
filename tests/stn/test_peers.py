"""Agreement with torch from kept answers; with torch, OpenCV and kornia, where installed."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import stn
from tests.stn import peer_vectors
from tests.stn.test_core import random_theta
from tests.stn.test_transforms import thetas


@pytest.mark.parametrize(("interpolation", "padding", "align"), peer_vectors.MODES)
@pytest.mark.parametrize("backend", ["gather", "xla"])
def test_values_and_gradients_are_those_of_torch(
    backend: Any, interpolation: Any, padding: Any, align: bool
) -> None:
    """Warped image, gradient to the image, gradient to theta: every mode that both have."""
    if backend == "xla" and (interpolation, padding, align) not in (
        ("bilinear", "zeros", True),
        ("bilinear", "border", False),
        ("bicubic", "reflection", True),
    ):
        pytest.skip("compiled in a few modes; the ops are the same")
    given = peer_vectors.inputs()
    image, theta = tf.constant(given["image"]), tf.constant(given["theta"])
    with tf.GradientTape() as tape:
        tape.watch([image, theta])
        warped = stn.warp(
            image,
            theta,
            output_size=(6, 4),
            interpolation=interpolation,
            padding=padding,
            align_corners=align,
            backend=backend,
        )
    ours = [warped, *tape.gradient(warped, [image, theta], output_gradients=given["upstream"])]

    with np.load(peer_vectors.FILE) as kept:
        for name, value in zip(("warped", "image", "theta"), ours, strict=True):
            theirs = kept[f"{interpolation}/{padding}/{align}/{name}"]
            value = tf.reshape(value, theirs.shape)
            np.testing.assert_allclose(value, theirs, rtol=1e-4, atol=1e-4, err_msg=name)


def _torch_warp(image: Any, grid: Any, align: bool = True) -> Any:
    torch = pytest.importorskip("torch")
    planes = torch.tensor(image.transpose(0, 3, 1, 2))
    sampled = torch.nn.functional.grid_sample(planes, torch.tensor(grid), align_corners=align)
    return sampled.numpy().transpose(0, 2, 3, 1)


@pytest.mark.peers
def test_the_kept_answers_are_still_those_of_torch() -> None:
    """The installed release answers as the one that was asked."""
    pytest.importorskip("torch")
    with np.load(peer_vectors.FILE) as kept:
        for mode in peer_vectors.MODES:
            answers = peer_vectors.answer(*mode, peer_vectors.inputs())
            for name, value in zip(("warped", "image", "theta"), answers, strict=True):
                key = "/".join([*map(str, mode), name])
                np.testing.assert_allclose(value, kept[key], rtol=1e-4, atol=1e-4)


@pytest.mark.peers
@pytest.mark.parametrize("align", [True, False])
def test_two_hundred_affine_cases_agree_with_torch(align: bool, rng: np.random.Generator) -> None:
    """Affine grid and sampler of torch, thetas in torch's convention."""
    torch = pytest.importorskip("torch")
    theta = random_theta(rng, 200, 0.5).reshape(-1, 2, 3)
    image = rng.random((200, 20, 31, 3)).astype(np.float32)
    grid = torch.nn.functional.affine_grid(
        torch.tensor(theta), [200, 3, 40, 17], align_corners=align
    ).numpy()

    converted = stn.from_torch(theta, (20, 31), (40, 17), align)

    # Far outside float32 itself is coarse, so the tolerance grows with the picture.
    expected = _torch_warp(image, grid, align)
    np.testing.assert_allclose(
        stn.warp(image, theta, output_size=(40, 17), align_corners=align), expected, atol=5e-5
    )
    np.testing.assert_allclose(
        stn.warp(image, converted, output_size=(40, 17)), expected, atol=5e-5
    )


@pytest.mark.peers
def test_two_hundred_homographies_agree_with_kornia(rng: np.random.Generator) -> None:
    """`homography_warp` in normalised units, horizons outside the picture."""
    torch = pytest.importorskip("torch")
    kornia = pytest.importorskip("kornia")
    theta = thetas("projective", rng, 200, 0.1).astype(np.float32)
    theta[0, 6:] = 0
    image = rng.random((200, 12, 15, 2)).astype(np.float32)

    warped = stn.warp(image, theta, "projective")

    matrices = np.concatenate([theta, np.ones((200, 1), np.float32)], axis=1).reshape(-1, 3, 3)
    theirs = kornia.geometry.transform.homography_warp(
        torch.tensor(image.transpose(0, 3, 1, 2)),
        torch.tensor(matrices),
        (12, 15),
        align_corners=True,
    )
    np.testing.assert_allclose(warped, theirs.numpy().transpose(0, 2, 3, 1), atol=1e-4)


@pytest.mark.peers
def test_two_hundred_matrices_agree_with_opencv(rng: np.random.Generator) -> None:
    """`warpAffine`, its own direction; OpenCV 5 keeps the precision of float32 images."""
    cv2 = pytest.importorskip("cv2")
    image = rng.random((12, 15)).astype(np.float32)
    worst = 0.0
    for theta in random_theta(rng, 200, 0.3):
        push = stn.to_opencv(theta[np.newaxis], (12, 15), (9, 20))[0].numpy()
        theirs = cv2.warpAffine(image, push, (20, 9), flags=cv2.INTER_LINEAR)
        ours = stn.warp(image[np.newaxis, ..., np.newaxis], theta[np.newaxis], output_size=(9, 20))
        worst = max(worst, float(np.abs(ours[0, :, :, 0] - theirs).max()))
    assert worst < 2e-3


@pytest.mark.peers
def test_splines_agree_with_kornia(rng: np.random.Generator) -> None:
    """Nearly: kornia puts the kernels at the moved points, the textbook (and SciPy) at its own."""
    torch = pytest.importorskip("torch")
    kornia = pytest.importorskip("kornia")
    theta = thetas("tps", rng, 20, 0.1).astype(np.float32)
    x, y = np.meshgrid(np.linspace(-1, 1, 4), np.linspace(-1, 1, 4))
    own = np.tile(np.stack([x.ravel(), y.ravel()], 1), (20, 1, 1)).astype(np.float32)
    moved = own + theta.reshape(20, 16, 2)
    grid = stn.tps_grid(theta, (5, 6)).numpy()
    x, y = np.meshgrid(np.linspace(-1, 1, 6), np.linspace(-1, 1, 5))
    points = np.tile(np.stack([x.ravel(), y.ravel()], 1), (20, 1, 1)).astype(np.float32)

    kernel, affine = kornia.geometry.transform.get_tps_transform(
        torch.tensor(own), torch.tensor(moved)
    )
    theirs = kornia.geometry.transform.warp_points_tps(
        torch.tensor(points), torch.tensor(moved), kernel, affine
    )

    difference = np.abs(grid.reshape(20, 30, 2) - theirs.numpy())
    assert difference.mean() < 0.02
    # The corners are control points, where there is one answer.
    assert difference[:, [0, 5, 24, 29]].max() < 1e-4
