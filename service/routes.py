"""The routes. They know HTTP and no pixels."""

from functools import partial
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

from service import answers, schemas
from service.bodies import read_body
from service.catalogue import Catalogue
from service.context import context_of
from service.direct import DirectRoute, OpenRoute, RouteTable
from service.errors import FieldError, MissingImage, TooManyImages, UnknownModel, UnknownOption
from service.http import Answer, choose_media_type, json_answer
from service.inference import Inference
from service.options import describe, read_predict_options, read_warp_options
from service.pictures import PicturePool
from service.settings import Settings
from service.submission import Submission, read_submission
from service.telemetry.metrics import Metrics

_SMALL_BODY_BYTES = 256 * 1024


class Routes:
    """The routes of the gateway, bound to what answers them.

    Args:
        inference: answers requests.
        catalogue: knows the models.
        pool: where large bodies are unpacked.
        settings: holds the limits.
        metrics: are shown.
    """

    def __init__(
        self,
        inference: Inference,
        catalogue: Catalogue,
        pool: PicturePool,
        settings: Settings,
        metrics: Metrics,
    ) -> None:
        self._pool = pool
        self._metrics = metrics
        self._inference = inference
        self._catalogue = catalogue
        self._settings = settings

    def add_to(self, router: APIRouter) -> None:
        """Add the routes, with their documentation, to the application's own router."""
        add: Any = partial(router.add_api_route, route_class_override=DirectRoute)
        add("/predict", self.predict, methods=["POST"], **schemas.PREDICT)
        add("/predict/batch", self.predict_batch, methods=["POST"], **schemas.PREDICT_BATCH)
        add("/warp", self.warp, methods=["POST"], **schemas.WARP)
        add("/models", self.models, methods=["GET"], **schemas.MODELS)
        add("/models/{name}", self.model, methods=["GET"], **schemas.MODEL)
        add_open: Any = partial(router.add_api_route, route_class_override=OpenRoute)
        add_open("/livez", self.livez, methods=["GET"], **schemas.LIVEZ)
        add_open("/readyz", self.readyz, methods=["GET"], **schemas.READYZ)
        if self._settings.admin_port is None:
            # Not for everyone: it names callers.
            add("/metrics", self.metrics, methods=["GET"], **schemas.METRICS)

    def for_admins(self) -> RouteTable:
        """Return the routes of the administrative port."""
        routes = {"/metrics": self.metrics, "/livez": self.livez, "/readyz": self.readyz}
        return RouteTable(OpenRoute(path, tell, methods=["GET"]) for path, tell in routes.items())

    async def predict(self, request: Request) -> Answer:
        """Classify one image: class, probabilities, theta and the region looked at."""
        choose_media_type(request.headers.get("accept", ""), ("application/json",))
        submission = await self._submission(request)
        options = read_predict_options(submission.options)
        content = submission.single_image()
        context = context_of(request.scope)
        prediction = await self._inference.predict(content, options, context)
        with context.stage("encode"):
            return json_answer(answers.prediction_answer(prediction, options.top_k))

    async def predict_batch(self, request: Request) -> Answer:
        """Classify several images by one version of the model: all of them, or none."""
        choose_media_type(request.headers.get("accept", ""), ("application/json",))
        submission = await self._submission(request)
        options = read_predict_options(submission.options)
        count, limit = len(submission.images), self._settings.max_batch_images
        if not count:
            raise MissingImage(
                "no images came. Send them as multipart parts 'image', or as JSON "
                '{"images": ["<base64>", ...]}'
            )
        if count > limit:
            raise TooManyImages(f"{count} images came; at most {limit} are accepted at once")
        context = context_of(request.scope)
        predictions = await self._inference.predict_many(submission.images, options, context)
        with context.stage("encode"):
            return json_answer(
                {"predictions": [answers.prediction_answer(p, options.top_k) for p in predictions]}
            )

    async def warp(self, request: Request) -> Answer:
        """Warp one image by an explicit theta."""
        accept = request.headers.get("accept", "")
        media_type = choose_media_type(accept, ("image/png", "application/json"))
        submission = await self._submission(request)
        options = read_warp_options(submission.options)
        content = submission.single_image()
        context = context_of(request.scope)
        warped = await self._inference.warp(content, options, context)
        if media_type == "image/png":
            return Answer(warped.png, media_type)
        with context.stage("encode"):
            return json_answer(answers.warp_answer(warped, options.theta))

    async def models(self, request: Request) -> Answer:
        """List the models, their versions and states."""
        servables = self._catalogue.servables
        return json_answer({"models": [answers.servable_summary(s) for s in servables]})

    async def model(self, request: Request) -> Answer:
        """Describe one model: versions, labels, input, model card."""
        servables = {s.name: s for s in self._catalogue.servables}
        name = request.path_params["name"]
        if name not in servables:
            known = ", ".join(servables)
            raise UnknownModel(
                f"there is no model {describe(name)}; there is {known}",
                (FieldError("name", describe(name), known),),
            )
        submission = Submission()
        submission.add_options(request.query_params.multi_items())
        if set(submission.options) - {"version", "label"}:
            raise UnknownOption("the options here are version, label")
        selector = read_predict_options(submission.options).selector
        servable = servables[name]
        summary = answers.servable_summary(servable)
        if servable.latest() is not None or submission.options:
            summary.update(answers.model_details(await servable.choose(selector)))
        return json_answer(summary)

    async def livez(self, request: Request) -> Answer:
        """Tell that the process answers."""
        return json_answer({"status": "alive"})

    async def readyz(self, request: Request) -> Answer:
        """Tell whether requests can be answered, and if not, why."""
        reasons = self._catalogue.not_ready_because()
        breakers = {s.name: s.breaker.state for s in self._catalogue.servables}
        if reasons:
            document = {"status": "not ready", "reasons": reasons, "breakers": breakers}
            return json_answer(document, status=503)
        return json_answer({"status": "ready", "breakers": breakers})

    async def metrics(self, request: Request) -> Answer:
        """Show the metrics, in Prometheus's text format or in OpenMetrics."""
        body, media_type = self._metrics.exposition(request.headers.get("accept", ""))
        return Answer(body, media_type)

    async def _submission(self, request: Request) -> Submission:
        body = await read_body(
            request, self._settings.max_request_bytes, self._settings.body_timeout_seconds
        )
        query = request.query_params.multi_items() if request.scope["query_string"] else ()
        read = partial(read_submission, request.headers.get("content-type", ""), body, query)
        # Unpacking megabytes would hold everybody up; a pool's thread lets others in between.
        return read() if len(body) <= _SMALL_BODY_BYTES else await self._pool.run(read)
