"""Spatial transformers for TensorFlow: tensors in, tensors out.

Convention, everywhere: theta maps *output* to *input* coordinates; x grows to the right, y
downwards; -1 and +1 are the centres of the first and last pixel; row one of theta gives x, row two
y; outside the image is zero. The identity at equal size returns the image bit for bit. This is
`torch.nn.functional.grid_sample(..., align_corners=True, padding_mode="zeros")`.
"""

from stn.grid import affine_grid
from stn.layer import SpatialTransformer
from stn.localization import LocalizationNetwork
from stn.sampler import bilinear_sampler
from stn.transformer import spatial_transformer_network

__all__ = [
    "LocalizationNetwork",
    "SpatialTransformer",
    "affine_grid",
    "bilinear_sampler",
    "spatial_transformer_network",
]
