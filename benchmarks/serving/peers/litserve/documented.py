"""A model behind LitServe as its guides write it, with batching."""

import base64
import os

import litserve as ls


class STN(ls.LitAPI):
    """Picture in base64 within JSON, prediction out."""

    def setup(self, device):
        """Load the model, in the worker."""
        import documented_model

        self.model = documented_model

    def decode_request(self, request):
        """Return the picture, and whether its warped form is wanted."""
        picture = self.model.read_picture(base64.b64decode(request["image"]))
        return picture, request.get("include") == "warped"

    def batch(self, inputs):
        """Collect a batch."""
        return [picture for picture, _ in inputs], [warped for _, warped in inputs]

    def predict(self, batch):
        """Run a batch."""
        pictures, wanted = batch
        outputs = self.model.predict(pictures)
        return [self.model.answer(outputs, row, warped) for row, warped in enumerate(wanted)]

    def unbatch(self, output):
        """Part it again."""
        return output

    def encode_response(self, output):
        """Return what goes into the JSON."""
        return output


if __name__ == "__main__":
    server = ls.LitServer(STN(max_batch_size=8, batch_timeout=0.01), accelerator="cpu")
    server.run(host="127.0.0.1", port=int(os.environ["BENCH_PORT"]), generate_client_file=False)
