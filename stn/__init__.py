"""Spatial transformers for TensorFlow: tensors in, tensors out.

Convention, everywhere: theta maps *output* to *input* coordinates; x grows to the right, y
downwards; -1 and +1 are the centres of the first and last pixel; row one of theta gives x, row two
y; outside the image is zero unless padding says otherwise. The identity at equal size returns the
image bit for bit. This is `torch.nn.functional.grid_sample(..., align_corners=True,
padding_mode="zeros")`.
"""

from stn.convert import (
    from_keras,
    from_opencv,
    from_torch,
    theta_from_1_0_1,
    to_keras,
    to_opencv,
    to_torch,
)
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
from stn.localization import (
    LocalizationNetwork,
    convolutional_localization,
    fully_connected_localization,
    theta_layer,
)
from stn.matrices import (
    Decomposition,
    compose,
    corners,
    decompose,
    from_pixels,
    invert,
    matrix,
    to_pixels,
)
from stn.monitor import TransformerMonitor
from stn.parallel import ParallelTransformers, tiled_starts
from stn.pictures import show
from stn.recurrent import RecurrentTransformer
from stn.sampling import bilinear_sampler, sample
from stn.transforms import Transform, get_transform, thin_plate_spline
from stn.warping import spatial_transformer_network, warp

__all__ = [
    "Decomposition",
    "LocalizationNetwork",
    "ParallelTransformers",
    "RecurrentTransformer",
    "SpatialTransformer",
    "Transform",
    "TransformerMonitor",
    "affine_grid",
    "attention_grid",
    "bilinear_sampler",
    "compose",
    "convolutional_localization",
    "corners",
    "decompose",
    "flow_grid",
    "from_keras",
    "from_opencv",
    "from_pixels",
    "from_torch",
    "fully_connected_localization",
    "get_transform",
    "invert",
    "matrix",
    "projective_grid",
    "sample",
    "show",
    "similarity_grid",
    "spatial_transformer_network",
    "theta_from_1_0_1",
    "theta_layer",
    "thin_plate_spline",
    "tiled_starts",
    "to_keras",
    "to_opencv",
    "to_pixels",
    "to_torch",
    "tps_grid",
    "transform_grid",
    "translation_grid",
    "warp",
]
