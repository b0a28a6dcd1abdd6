"""The classifier: a spatial transformer, and a small convolutional trunk behind it."""

import keras

from stn import SpatialTransformer


def build_classifier(
    input_shape: tuple[int, int, int], num_classes: int, output_size: tuple[int, int] = (28, 28)
) -> keras.Model:
    """Build the spatial-transformer classifier.

    Args:
        input_shape: `(height, width, channels)` of the images.
        num_classes: how many classes there are.
        output_size: `(height, width)` of what the trunk sees.

    Returns:
        Model from float32 images `(batch, *input_shape)` in [0, 1] to a dictionary of `logits`
        `(batch, num_classes)`, `theta` `(batch, 6)` and `warped` `(batch, *output_size, channels)`.
        Its layer `spatial_transformer` holds the localization network.

    Source: after Jaderberg et al. (2015), section 4.1, with batch normalisation and a strided stem.
    """
    layers = keras.layers
    images = keras.Input(input_shape, name="images")
    warped, theta = SpatialTransformer(
        output_size=output_size, return_theta=True, name="spatial_transformer"
    )(images)
    x = warped
    for index, (filters, size, strides) in enumerate([(32, 5, 2), (64, 3, 1), (128, 3, 1)]):
        x = layers.Conv2D(filters, size, strides, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
        if index > 0:
            x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(0.2)(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(images, {"logits": logits, "theta": theta, "warped": warped})
