"""A model behind Ray Serve as its guides write it, with `serve.batch`."""

import os

from ray import serve
from starlette.requests import Request


@serve.deployment
class STN:
    """Raw PNG in, prediction out."""

    def __init__(self) -> None:
        import documented_model

        self.model = documented_model

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=0.01)
    async def predict(self, requests: list) -> list:
        """Run a batch of pictures, each with whether its warped form is wanted."""
        outputs = self.model.predict([self.model.read_picture(content) for content, _ in requests])
        return [self.model.answer(outputs, row, warped) for row, (_, warped) in enumerate(requests)]

    async def __call__(self, request: Request) -> dict:
        """Answer one request."""
        warped = request.query_params.get("include") == "warped"
        return await self.predict((await request.body(), warped))


if __name__ == "__main__":
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["BENCH_PORT"])})
    serve.run(STN.bind(), blocking=True, route_prefix="/predict")
