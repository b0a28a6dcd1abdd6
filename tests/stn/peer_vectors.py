"""Answers of torch, kept: `python tests/stn/peer_vectors.py` (torch 2.13) writes peer_vectors.npz.

So that agreement with torch is held where torch is not installed.
"""

import importlib
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).with_suffix(".npz")
MODES = [
    (interpolation, padding, align)
    for interpolation in ("bilinear", "nearest", "bicubic")
    for padding in ("zeros", "border", "reflection")
    for align in (True, False)
]


def inputs() -> dict[str, Any]:
    """Image `(4, 5, 7, 2)`, theta `(4, 2, 3)` and an upstream gradient for 6 x 4 outputs."""
    rng = np.random.default_rng(8)
    theta = np.tile(np.array([[[1, 0, 0], [0, 1, 0]]]), (4, 1, 1)) + rng.normal(0, 0.5, (4, 2, 3))
    return {
        "image": rng.normal(size=(4, 5, 7, 2)).astype(np.float32),
        "theta": theta.astype(np.float32),
        "upstream": rng.normal(size=(4, 6, 4, 2)).astype(np.float32),
    }


def answer(interpolation: str, padding: str, align: bool, given: dict[str, Any]) -> list[Any]:
    """Torch's warped image, gradient to the image and gradient to theta, channels last."""
    torch = importlib.import_module("torch")
    functional = torch.nn.functional

    image = torch.tensor(given["image"].transpose(0, 3, 1, 2), requires_grad=True)
    theta = torch.tensor(given["theta"], requires_grad=True)
    upstream = torch.tensor(given["upstream"].transpose(0, 3, 1, 2))
    batch, channels, height, width = upstream.shape
    grid = functional.affine_grid(theta, [batch, channels, height, width], align_corners=align)
    warped = functional.grid_sample(
        image, grid, mode=interpolation, padding_mode=padding, align_corners=align
    )
    warped.backward(upstream)
    planes = [warped.detach(), image.grad]
    return [p.numpy().transpose(0, 2, 3, 1) for p in planes] + [theta.grad.numpy()]


def main() -> None:
    """Write the answers of every mode."""
    kept = {}
    for mode in MODES:
        for name, value in zip(("warped", "image", "theta"), answer(*mode, inputs()), strict=True):
            kept["/".join([*map(str, mode), name])] = value.astype(np.float32)
    np.savez_compressed(FILE, **kept)


if __name__ == "__main__":
    main()
