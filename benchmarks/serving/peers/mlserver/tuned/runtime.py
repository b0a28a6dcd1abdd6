"""MLServer, tuned: no worker process, codecs left out where lists will do."""

import base64

import numpy as np
from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput


class STN(MLModel):
    """Pictures in base64 in, tensors out, in the Open Inference Protocol."""

    async def load(self) -> bool:
        """Load the model in the process that answers."""
        from tuned_model import TunedModel, png

        self.model, self.png = TunedModel(), png
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Run the pictures of a request, or of several merged into one."""
        contents = payload.inputs[0].data.root
        pictures = np.stack([self.model.read_picture(base64.b64decode(c)) for c in contents])
        with_warped = any(output.name == "warped" for output in payload.outputs)
        probabilities, theta, *warped = self.model.predict(pictures, with_warped)
        rows = len(pictures)
        labels = [self.model.labels[index] for index in probabilities.argmax(axis=1)]
        outputs = [
            _output("label", "BYTES", [rows, 1], labels),
            _output("probabilities", "FP32", list(probabilities.shape), probabilities),
            _output("theta", "FP32", list(theta.shape), theta),
        ]
        if with_warped:
            pngs = [base64.b64encode(self.png(image)).decode() for image in warped[0]]
            outputs.append(_output("warped", "BYTES", [rows, 1], pngs))
        return InferenceResponse(model_name=self.name, outputs=outputs)


def _output(name: str, datatype: str, shape: list[int], data: object) -> ResponseOutput:
    listed = data.ravel().tolist() if isinstance(data, np.ndarray) else data
    return ResponseOutput(name=name, datatype=datatype, shape=shape, data=listed)
