"""Spatial transformers for TensorFlow: tensors in, tensors out.

Convention, everywhere: theta maps *output* to *input* coordinates; x grows to the right, y
downwards; -1 and +1 are the centres of the first and last pixel; row one of theta gives x, row two
y; outside the image is zero unless padding says otherwise. The identity at equal size returns the
image bit for bit. This is `torch.nn.functional.grid_sample(..., align_corners=True,
padding_mode="zeros")`.
"""

from stn.grid import (
    affine_grid,
    attention_grid,
    flow_grid,
    projective_grid,
    similarity_grid,
    tps_grid,
    transform_grid,
    translation_grid,
)
from stn.layer import SpatialTransformer
from stn.localization import LocalizationNetwork
from stn.sampling import bilinear_sampler, sample
from stn.transforms import Transform, get_transform, thin_plate_spline
from stn.warping import spatial_transformer_network, warp

__all__ = [
    "LocalizationNetwork",
    "SpatialTransformer",
    "Transform",
    "affine_grid",
    "attention_grid",
    "bilinear_sampler",
    "flow_grid",
    "get_transform",
    "projective_grid",
    "sample",
    "similarity_grid",
    "spatial_transformer_network",
    "thin_plate_spline",
    "tps_grid",
    "transform_grid",
    "translation_grid",
    "warp",
]
