"""BentoML, tuned, with its adaptive batching: JSON in, plain numbers and strings out."""

import base64

import bentoml
import numpy as np


@bentoml.service(metrics={"enabled": False}, logging={"access": {"enabled": False}})
class STN:
    """Pictures in base64 within JSON in, predictions out."""

    def __init__(self) -> None:
        from tuned_model import TunedModel

        self.model = TunedModel()

    @bentoml.api(batchable=True, max_batch_size=32, max_latency_ms=1000)
    async def predict(self, images: list[str]) -> list[dict]:
        """Classify pictures."""
        return self._answer(images, with_warped=False)

    @bentoml.api(batchable=True, max_batch_size=32, max_latency_ms=1000)
    async def predict_warped(self, images: list[str]) -> list[dict]:
        """Classify pictures, and give what the network saw."""
        return self._answer(images, with_warped=True)

    def _answer(self, images: list[str], with_warped: bool) -> list[dict]:
        pictures = [self.model.read_picture(base64.b64decode(image)) for image in images]
        outputs = self.model.predict(np.stack(pictures), with_warped)
        return [
            self.model.answer_numbers([output[row] for output in outputs])
            for row in range(len(images))
        ]
