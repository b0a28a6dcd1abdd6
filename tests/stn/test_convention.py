"""The convention, pinned with unequal numbers and a picture that is not square."""

import numpy as np
import tensorflow as tf

from stn import affine_grid, bilinear_sampler, spatial_transformer_network

HEIGHT, WIDTH = 3, 5
RAMP_X = np.tile(np.arange(WIDTH, dtype=np.float32), (HEIGHT, 1))[np.newaxis, :, :, np.newaxis]


def _theta(*numbers: float) -> tf.Tensor:
    return tf.constant([numbers], tf.float32)


def test_theta_row_one_is_x() -> None:
    """The first row of theta moves x alone, so a swap of rows would show."""
    corner = affine_grid(_theta(1, 0, 0.25, 0, 1, 0), (HEIGHT, WIDTH))[0, 0, 0]

    assert corner.numpy().tolist() == [-0.75, -1.0]


def test_grid_holds_x_before_y() -> None:
    """Along a row of the lattice only the first coordinate changes."""
    grid = affine_grid(_theta(1, 0, 0, 0, 1, 0), (HEIGHT, WIDTH))[0]

    assert grid[1, :, 0].numpy().tolist() == [-1.0, -0.5, 0.0, 0.5, 1.0]
    assert grid[:, 1, 1].numpy().tolist() == [-1.0, 0.0, 1.0]


def test_theta_columns_are_x_y_one() -> None:
    """Every number of theta has its place, at a target point where x, y and 1 differ."""
    numbers = (0.1, 0.02, 0.003, 0.4, 0.05, 0.006)

    point = affine_grid(_theta(*numbers), (3, 5))[0, 0, 3]  # x = 0.5, y = -1

    np.testing.assert_allclose(point, [0.05 - 0.02 + 0.003, 0.2 - 0.05 + 0.006], rtol=1e-6)


def test_theta_maps_output_to_input() -> None:
    """Theta says where to look (pull): a positive x makes the picture move left."""
    warped = spatial_transformer_network(RAMP_X, _theta(1, 0, 0.5, 0, 1, 0))

    assert warped[0, 1, :, 0].numpy().tolist() == [1.0, 2.0, 3.0, 4.0, 0.0]


def test_a_scale_below_one_zooms_in() -> None:
    """Scale 0.5 looks at the middle half of the picture."""
    warped = spatial_transformer_network(RAMP_X, _theta(0.5, 0, 0, 0, 1, 0))

    assert warped[0, 0, :, 0].numpy().tolist() == [1.0, 1.5, 2.0, 2.5, 3.0]


def test_y_grows_downwards() -> None:
    """A positive y looks further down."""
    ramp_y = np.arange(5, dtype=np.float32).reshape(1, 5, 1, 1) + 1

    warped = spatial_transformer_network(ramp_y, _theta(1, 0, 0, 0, 1, 0.5))

    assert warped[0, :, 0, 0].numpy().tolist() == [2.0, 3.0, 4.0, 5.0, 0.0]


def test_minus_one_and_one_are_pixel_centres() -> None:
    """The corners of the normalised square read the corner pixels undiluted."""
    image = np.arange(HEIGHT * WIDTH, dtype=np.float32).reshape(1, HEIGHT, WIDTH, 1)
    corners = tf.constant([[[[-1.0, -1.0], [1.0, -1.0]], [[-1.0, 1.0], [1.0, 1.0]]]])

    assert bilinear_sampler(image, corners).numpy().ravel().tolist() == [0.0, 4.0, 10.0, 14.0]


def test_outside_fades_to_zero_over_one_pixel() -> None:
    """Half a pixel outside the last centre the picture is at half strength."""
    image = np.ones((1, 1, 3, 1), np.float32)
    points = tf.constant([[[[1.5, 0.0], [2.0, 0.0], [2.5, 0.0], [-1.25, 0.0]]]])

    assert bilinear_sampler(image, points).numpy().ravel().tolist() == [0.5, 0.0, 0.0, 0.75]


def test_rotation_by_a_positive_angle_looks_along_a_clockwise_turn() -> None:
    """With y downwards, theta of +90 degrees maps the target's +x to the source's +y."""
    image = np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1)

    warped = spatial_transformer_network(image, _theta(0, -1, 0, 1, 0, 0))

    np.testing.assert_array_equal(warped[0, :, :, 0], np.rot90(image[0, :, :, 0]))
