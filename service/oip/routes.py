"""The routes of the protocol. They know HTTP and no tensors."""

import asyncio
from functools import partial
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

from service.bodies import read_body
from service.catalogue import Catalogue
from service.context import RequestContext, context_of
from service.direct import DirectRoute, OpenRoute
from service.errors import FieldError, NotReady, UnknownModel, UnknownVersion
from service.http import Answer, json_answer
from service.inference import Inference
from service.oip import models, schemas
from service.oip.compression import choose_coding, compress, decompress
from service.oip.metadata import model_metadata, server_metadata
from service.oip.requests import HEADER_LENGTH, read_request
from service.oip.responses import infer_answer
from service.options import Selector, describe
from service.pictures import PicturePool
from service.servable import Servable
from service.settings import Settings

# Packing and unpacking this much takes well under a millisecond; more is left to a thread.
_SMALL_BYTES = 32 * 1024


class InferenceProtocolRoutes:
    """The routes below `/v2`, bound to what answers them.

    Args:
        inference: answers requests.
        catalogue: knows the models.
        pool: where large bodies are packed and unpacked.
        settings: holds the limits.
        version: of the gateway.
    """

    def __init__(
        self,
        inference: Inference,
        catalogue: Catalogue,
        pool: PicturePool,
        settings: Settings,
        version: str,
    ) -> None:
        self._inference = inference
        self._catalogue = catalogue
        self._pool = pool
        self._settings = settings
        self._version = version
        self._limits = models.Limits(settings.max_batch_images, settings.max_request_bytes)

    def add_to(self, router: APIRouter) -> None:
        """Add the routes, with their documentation, to the application's own router."""
        add: Any = partial(router.add_api_route, route_class_override=DirectRoute)
        add_open: Any = partial(router.add_api_route, route_class_override=OpenRoute)
        get, post = {"methods": ["GET"]}, {"methods": ["POST"]}
        add("/v2", self.server, **get, **schemas.SERVER)
        add_open("/v2/health/live", self.live, **get, **schemas.LIVE)
        add_open("/v2/health/ready", self.ready, **get, **schemas.READY)
        for path, documented in (
            ("/v2/models/{name}", schemas.of_model),
            ("/v2/models/{name}/versions/{version}", schemas.of_version),
        ):
            add(path, self.model, **get, **documented(schemas.MODEL))
            add(f"{path}/ready", self.model_ready, **get, **documented(schemas.MODEL_READY))
            add(f"{path}/infer", self.infer, **post, **documented(schemas.INFER))

    async def server(self, request: Request) -> Answer:
        """Tell what this server is and which extensions of the protocol it has."""
        return json_answer(server_metadata("stn-serving", self._version))

    async def live(self, request: Request) -> Answer:
        """Tell that the process answers."""
        return json_answer({"live": True})

    async def ready(self, request: Request) -> Answer:
        """Tell whether requests can be answered, and if not, why."""
        reasons = self._catalogue.not_ready_because()
        if reasons:
            return json_answer({"ready": False, "error": "; ".join(reasons)}, status=503)
        return json_answer({"ready": True})

    async def model(self, request: Request) -> Answer:
        """Describe a model: its versions that are ready, its inputs and its outputs."""
        servable = self._servable(request)
        return json_answer(model_metadata(servable, await servable.choose(_selector(request))))

    async def model_ready(self, request: Request) -> Answer:
        """Tell whether a model, or one version of it, can answer."""
        servable = self._servable(request)
        await servable.choose(_selector(request))
        if servable.trouble:
            raise NotReady(f"{servable.name}: {servable.why_not_ready()}")
        return json_answer({"name": servable.name, "ready": True})

    async def infer(self, request: Request) -> Answer:
        """Run a model on tensors, or the classifier on encoded images."""
        servable = self._servable(request)
        selector = _selector(request)
        body = await self._body(request)
        context = context_of(request.scope)
        with context.stage("decode"):
            inference_request = read_request(request.headers.get(HEADER_LENGTH), body)
        run = models.warp if servable is self._catalogue.warper else models.classify
        async with asyncio.timeout_at(_deadline(context, inference_request.timeout_us)):
            outputs = await run(
                self._inference,
                inference_request,
                selector,
                self._limits,
                context,
            )
        with context.stage("encode"):
            answer = infer_answer(inference_request, servable.name, outputs.version, outputs.arrays)
            return await self._packed(answer, request.headers.get("accept-encoding", ""))

    def _servable(self, request: Request) -> Servable[Any]:
        name = request.path_params["name"]
        for servable in (self._catalogue.classifier, self._catalogue.warper):
            if servable.name == name:
                return servable
        known = f"{self._catalogue.classifier.name}, {self._catalogue.warper.name}"
        raise UnknownModel(
            f"there is no model {describe(name)}; there is {known}",
            (FieldError("name", describe(name), known),),
        )

    async def _body(self, request: Request) -> bytes:
        limit = self._settings.max_request_bytes
        body = await read_body(request, limit, self._settings.body_timeout_seconds)
        coding = request.headers.get("content-encoding", "")
        if not coding:
            return body
        # However small it is, it may unpack to much.
        return await self._pool.run(lambda: decompress(coding, body, limit))

    async def _packed(self, answer: Answer, accept_encoding: str) -> Answer:
        coding = choose_coding(accept_encoding, len(answer.body))
        if not coding:
            return answer
        pack = partial(compress, coding, answer.body)
        body = pack() if len(answer.body) <= _SMALL_BYTES else await self._pool.run(pack)
        headers = {**answer.headers, "content-encoding": coding, "vary": "accept-encoding"}
        return Answer(body, answer.media_type, answer.status, headers)


def _selector(request: Request) -> Selector:
    """Return which version a path names: by number, else by label."""
    text = request.path_params.get("version")
    if text is None:
        return Selector()
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return Selector(version=int(text))
    if text.isdigit() or len(text) > 100 or not text.isprintable():
        raise UnknownVersion(f"there is no version {describe(text)}; a number or a label names one")
    return Selector(label=text)


def _deadline(context: RequestContext, timeout_us: int | None) -> float:
    """Return when the caller's patience ends; never later than the request's own deadline."""
    if timeout_us is not None:
        now = asyncio.get_running_loop().time()
        context.deadline = min(context.deadline, now + timeout_us / 1e6)
    return context.deadline
