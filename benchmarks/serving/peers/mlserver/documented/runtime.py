"""A model behind MLServer as its guides write it: a custom runtime, codecs, adaptive batching."""

import numpy as np
from mlserver import MLModel
from mlserver.codecs import Base64Codec, NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse


class STN(MLModel):
    """Pictures in base64 in, tensors out, in the Open Inference Protocol."""

    async def load(self) -> bool:
        """Load the model, in the worker process."""
        import documented_model

        self.model = documented_model
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Run the pictures of a request, or of several merged into one."""
        contents = Base64Codec.decode_input(payload.inputs[0])
        outputs = self.model.predict([self.model.read_picture(c) for c in contents])
        likeliest = outputs["probabilities"].argmax(axis=1)
        labels = [self.model.LABELS[index] for index in likeliest]
        wanted = {output.name for output in payload.outputs or []}
        return InferenceResponse(
            model_name=self.name,
            outputs=[
                StringCodec.encode_output("label", labels),
                *(
                    NumpyCodec.encode_output(name, np.asarray(outputs[name]))
                    for name in ("probabilities", "theta", "warped")
                    if name in wanted
                ),
            ],
        )
