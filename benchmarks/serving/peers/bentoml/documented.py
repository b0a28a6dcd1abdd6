"""A model behind BentoML as its guides write it, with adaptive batching."""

import bentoml
from PIL.Image import Image


@bentoml.service
class STN:
    """Pictures in a multipart form in, predictions out."""

    def __init__(self) -> None:
        import documented_model

        self.model = documented_model

    @bentoml.api(batchable=True, max_batch_size=32, max_latency_ms=1000)
    def predict(self, images: list[Image]) -> list[dict]:
        """Classify pictures."""
        return self._answer(images, with_warped=False)

    @bentoml.api(batchable=True, max_batch_size=32, max_latency_ms=1000)
    def predict_warped(self, images: list[Image]) -> list[dict]:
        """Classify pictures, and give what the network saw."""
        return self._answer(images, with_warped=True)

    def _answer(self, images: list[Image], with_warped: bool) -> list[dict]:
        outputs = self.model.predict([self.model.fit_picture(image) for image in images])
        return [self.model.answer(outputs, row, with_warped) for row in range(len(images))]
