"""Ray Serve, tuned: one thread, small waits, plain bytes out, no access log."""

import os

import ray
from ray import serve
from ray.serve.schema import LoggingConfig
from starlette.requests import Request
from starlette.responses import Response


@serve.deployment(
    max_ongoing_requests=256,
    ray_actor_options={"num_cpus": 1},
    logging_config=LoggingConfig(enable_access_log=False, log_level="ERROR"),
)
class STN:
    """Raw PNG in, prediction out."""

    def __init__(self) -> None:
        import numpy
        from tuned_model import TunedModel

        self.model = TunedModel()
        self.stack = numpy.stack

    @serve.batch(max_batch_size=32, batch_wait_timeout_s=0)
    async def predict(self, requests: list) -> list:
        """Run a batch of pictures, each with whether its warped form is wanted."""
        pictures = [self.model.read_picture(content) for content, _ in requests]
        outputs = self.model.predict(self.stack(pictures), any(wanted for _, wanted in requests))
        return [
            self.model.answer_bytes(
                [output[row] for output in (outputs if wanted else outputs[:2])]
            )
            for row, (_, wanted) in enumerate(requests)
        ]

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        wanted = request.query_params.get("include") == "warped"
        told = await self.predict((await request.body(), wanted))
        return Response(told, media_type="application/json")


if __name__ == "__main__":
    ray.init(include_dashboard=False)
    serve.start(
        # The proxy, which nobody asks; the replica takes BENCH_PORT.
        http_options={"host": "127.0.0.1", "port": int(os.environ["BENCH_SPARE_PORT"])},
        logging_config=LoggingConfig(enable_access_log=False, log_level="ERROR"),
    )
    serve.run(STN.bind(), blocking=True, route_prefix="/predict")
