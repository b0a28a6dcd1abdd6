"""Grid and sampler in one call, as the `stn` package has always offered it."""

import tensorflow as tf

from stn.grid import Size, affine_pixel_grid
from stn.sampler import sample_pixels


def spatial_transformer_network(
    input_fmap: tf.Tensor, theta: tf.Tensor, out_dims: Size | None = None
) -> tf.Tensor:
    """Warp a feature map by an affine transform.

    The identity at equal size returns the input bit for bit. (In `stn` 1.0.1 it shrank the input by
    (W-2)/(W-1), so weights trained there see a slightly different picture here.)

    Args:
        input_fmap: float `(batch, height, width, channels)`, any float type.
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
    image = tf.convert_to_tensor(input_fmap)
    if image.shape.rank != 4:
        raise ValueError(
            f"input_fmap must have shape (batch, height, width, channels); got {image.shape}"
        )
    static_size = image.shape[1:3]
    input_size = static_size.as_list() if static_size.is_fully_defined() else tf.shape(image)[1:3]
    x, y = affine_pixel_grid(theta, input_size, input_size if out_dims is None else out_dims)
    return sample_pixels(image, x, y)
