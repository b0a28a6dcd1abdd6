"""What the transformer layers share: a localization network, a transform, ways to sample."""

from collections.abc import Sequence
from typing import Any

import keras

from stn._context import BACKENDS, Backend
from stn.localization import LocalizationNetwork
from stn.sampler import Sampling
from stn.taps import Interpolation, Padding
from stn.theta import Bounded, Bounds, scale_gradient
from stn.transforms import Transform, get_transform
from stn.warping import warp


class WarpingLayer(keras.layers.Layer):
    """The options of a transformer layer, its localization network, and its configuration."""

    def __init__(
        self,
        localization: keras.Layer | None = None,
        output_size: Sequence[int] | None = None,
        return_theta: bool = False,
        *,
        transform: str | Transform = "affine",
        interpolation: Interpolation = "bilinear",
        padding: Padding = "zeros",
        fill_value: float = 0.0,
        align_corners: bool = True,
        antialias: bool | int | Sequence[int] = False,
        bounds: Bounds = None,
        theta_lr_scale: float = 1.0,
        return_mask: bool = False,
        backend: Backend = "auto",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        Sampling(interpolation, padding, fill_value)  # refuses what is not a name
        if backend not in BACKENDS:
            raise ValueError(f"backend must be one of {', '.join(BACKENDS)}; got {backend!r}")
        self.transform = get_transform(transform)
        self.bounds = Bounded(self.transform, bounds)
        self.output_size = None if output_size is None else tuple(output_size)
        self.return_theta = return_theta
        self.return_mask = return_mask
        self.theta_lr_scale = theta_lr_scale
        self._bounds = bounds
        self.options: dict[str, Any] = {
            "interpolation": interpolation,
            "padding": padding,
            "fill_value": fill_value,
            "align_corners": align_corners,
            "antialias": antialias if isinstance(antialias, (bool, int)) else tuple(antialias),
            "backend": backend,
        }
        if localization is None and self.transform.num_parameters:
            localization = LocalizationNetwork(start=self._start())
        if localization is None:
            raise ValueError("a flow has no default localization network; give one")
        if not isinstance(localization, keras.Layer):
            raise TypeError(
                f"the localization network must be a Keras layer or model; got {localization!r}. "
                "A size of the output is given as output_size="
            )
        self.localization = localization

    def _start(self) -> tuple[float, ...]:
        """The raw numbers that a default localization network starts from."""
        return self.bounds.start

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build the localization network and check what it returns."""
        if not self.localization.built:
            self.localization.build(input_shape)
        returned = self.localization.compute_output_shape(input_shape)
        expected = len(self._start())
        if expected and (len(returned) != 2 or returned[-1] != expected):
            raise ValueError(
                f"the localization network must return (batch, {expected}), theta of the "
                f"{self.transform.name} transform; got {returned[-1]} numbers per image in shape "
                f"{tuple(returned)}. End it with stn.theta_layer(), which starts at the identity."
            )
        super().build(input_shape)

    def localize(self, images: Any, training: bool | None = None) -> Any:
        """Return theta within its bounds, for a batch of images."""
        raw = self.localization(images, training=training)
        return scale_gradient(self.bounds(raw), self.theta_lr_scale)

    def _warp(
        self,
        images: Any,
        theta: Any,
        transform: Transform,
        size: tuple[int, ...] | None,
        training: bool | None,
    ) -> tuple[Any, Any]:
        """Return the warped images, and the mask or None."""
        result = warp(
            images,
            theta,
            transform,
            size,
            return_mask=self.return_mask,
            training=training is True,
            **self.options,
        )
        return result if self.return_mask else (result, None)

    def _outputs(self, warped: Any, theta: Any, mask: Any) -> Any:
        wanted = [warped]
        if self.return_theta:
            wanted.append(theta)
        if self.return_mask:
            wanted.append(mask)
        return tuple(wanted) if len(wanted) > 1 else warped

    def compute_output_spec(self, images: Any, training: bool | None = None) -> Any:
        """Return symbolic outputs; tracing says best which."""
        del training
        shapes = self._shapes(tuple(images.shape))
        dtypes = (images.dtype, "float32", "float32")
        tensors = [
            None if shape is None else keras.KerasTensor(shape, dtype)
            for shape, dtype in zip(shapes, dtypes, strict=True)
        ]
        return self._outputs(*tensors)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        """Return the shape of the warped images, of theta and mask when asked for them."""
        return self._outputs(*self._shapes(tuple(input_shape)))

    def _shapes(self, input_shape: tuple[int | None, ...]) -> tuple[Any, Any, Any]:
        theta = tuple(self.localization.compute_output_shape(input_shape))
        own = theta[1:3] if not self.transform.num_parameters else input_shape[1:3]
        size = self.output_size or own
        return (input_shape[0], *size, input_shape[3]), theta, (input_shape[0], *size, 1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, the localization network serialised."""
        return {
            **super().get_config(),
            "localization": keras.saving.serialize_keras_object(self.localization),
            "output_size": self.output_size,
            "return_theta": self.return_theta,
            "transform": self.transform.name,
            "bounds": self._bounds,
            "theta_lr_scale": self.theta_lr_scale,
            "return_mask": self.return_mask,
            **self.options,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "WarpingLayer":
        """Rebuild the layer and its localization network."""
        config = dict(config)
        localization = keras.saving.deserialize_keras_object(config.pop("localization"))
        return cls(localization=localization, **config)
