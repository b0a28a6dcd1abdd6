"""LitServe, tuned: ZeroMQ for the answers, large batches without a wait, bytes in and out."""

import base64
import os

import litserve as ls
import numpy as np
from starlette.responses import Response


class STN(ls.LitAPI):
    """Picture in base64 within JSON, prediction out."""

    def setup(self, device):
        """Load the model, in the worker."""
        from tuned_model import TunedModel

        self.model = TunedModel()

    def decode_request(self, request):
        """Return the picture, and whether its warped form is wanted."""
        picture = self.model.read_picture(base64.b64decode(request["image"]))
        return picture, "include" in request

    def batch(self, inputs):
        """Collect a batch."""
        return np.stack([picture for picture, _ in inputs]), [wanted for _, wanted in inputs]

    def predict(self, batch):
        """Run a batch."""
        pictures, wanted = batch
        outputs = self.model.predict(pictures, any(wanted))
        return [
            [output[row] for output in (outputs if wanted[row] else outputs[:2])]
            for row in range(len(pictures))
        ]

    def unbatch(self, output):
        """Part it again."""
        return output

    def encode_response(self, output):
        """Write the JSON here: what is no Response goes through FastAPI's encoder."""
        return Response(self.model.answer_bytes(output), media_type="application/json")


if __name__ == "__main__":
    server = ls.LitServer(
        STN(max_batch_size=32, batch_timeout=0.0),
        accelerator="cpu",
        fast_queue=True,
        timeout=False,
        disable_openapi_url=True,
    )
    port = int(os.environ["BENCH_PORT"])
    server.run(
        host="127.0.0.1",
        port=port,
        generate_client_file=False,
        log_level="error",
        access_log=False,
    )
