"""What is so at the moment of asking: readiness, models, labels, build."""

import platform
from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.admission import Traffic
from service.breaker import CLOSED, HALF_OPEN, OPEN
from service.calls import GuardedCalls
from service.catalogue import Catalogue


class StateCollector(Collector):
    """Looks when the metrics are shown, so that no request pays for it.

    Args:
        catalogue: knows the models.
        calls: know what was retried, and what was not let through.
        traffics: bound the work in progress, by servable.
        rejected: requests turned away by others, by reason, as they are counted.
        version: of this service.
        backend: who runs the models.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        calls: GuardedCalls,
        traffics: Mapping[str, Traffic],
        rejected: Mapping[str, int],
        version: str,
        backend: str,
    ) -> None:
        self._catalogue = catalogue
        self._calls = calls
        self._traffics = traffics
        self._rejected = rejected
        self._build = (version, platform.python_version(), backend)

    def collect(self) -> Iterator[Metric]:
        """Return the metrics, as they are now."""
        build = GaugeMetricFamily(
            "stn_build_info",
            "Always 1; its labels name the version, the Python and who runs the models.",
            labels=("version", "python", "backend"),
        )
        build.add_metric(self._build, 1)
        yield build
        is_ready = not self._catalogue.not_ready_because()
        yield GaugeMetricFamily("stn_ready", "1 when /readyz answers 200, else 0.", float(is_ready))
        yield from self._models()
        yield from self._guards()

    def _models(self) -> Iterator[Metric]:
        versions = GaugeMetricFamily(
            "stn_model_versions",
            "Versions of each servable: in use, or refused because they break the contract.",
            labels=("servable", "state"),
        )
        model = GaugeMetricFamily(
            "stn_model_info",
            "Always 1, one for each version in use.",
            labels=("servable", "version"),
        )
        label = GaugeMetricFamily(
            "stn_model_label_info",
            "Always 1, one for each label known, with the version that it points to.",
            labels=("servable", "label", "version"),
        )
        for servable in self._catalogue.servables:
            versions.add_metric((servable.name, "in_use"), len(servable.models))
            versions.add_metric((servable.name, "refused"), len(servable.problems))
            for version in sorted(servable.models):
                model.add_metric((servable.name, str(version)), 1)
            for name, version in sorted(servable.labels().items()):
                label.add_metric((servable.name, name, str(version)), 1)
        yield from (versions, model, label)

    def _guards(self) -> Iterator[Metric]:
        breakers = self._calls.breakers
        rejections = CounterMetricFamily(
            "stn_rejections", "Requests turned away before any work, by reason.", labels=("reason",)
        )
        for reason, count in self._rejected.items():
            rejections.add_metric((reason,), count)
        traffics = self._traffics.values()
        for reason in ("full", "deadline"):
            rejections.add_metric((reason,), sum(traffic.refused[reason] for traffic in traffics))
        pictures = sum(traffic.pictures.num_refused for traffic in traffics)
        rejections.add_metric(("pictures",), pictures)
        refused = sum(breaker.num_refused for breaker in breakers.values())
        rejections.add_metric(("breaker_open",), refused)
        yield rejections
        load = GaugeMetricFamily(
            "stn_work_load", "Pictures in progress or waiting.", labels=("servable",)
        )
        limit = GaugeMetricFamily(
            "stn_work_limit", "Pictures at which no more are taken on.", labels=("servable",)
        )
        for name, traffic in self._traffics.items():
            load.add_metric((name,), traffic.lane.load)
            limit.add_metric((name,), traffic.lane.limit)
        yield from (load, limit)
        yield CounterMetricFamily(
            "stn_retries", "Calls of the model server sent once more.", self._calls.num_retries
        )
        yield GaugeMetricFamily(
            "stn_retry_budget", "Retries allowed right now.", self._calls.budget.left
        )
        state = GaugeMetricFamily(
            "stn_breaker_state",
            "1 for the state that the breaker of a servable is in, 0 for the others.",
            labels=("servable", "state"),
        )
        opened = CounterMetricFamily(
            "stn_breaker_opened", "How often the breaker opened.", labels=("servable",)
        )
        for name, breaker in breakers.items():
            for possible in (CLOSED, OPEN, HALF_OPEN):
                value = float(breaker.state == possible)
                state.add_metric((name, possible.replace(" ", "_")), value)
            opened.add_metric((name,), breaker.times_opened)
        yield from (state, opened)
