"""What is so at the moment of asking: readiness, models, labels, build."""

import platform
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.catalogue import Catalogue


class StateCollector(Collector):
    """Looks when the metrics are shown, so that no request pays for it.

    Args:
        catalogue: knows the models.
        version: of this service.
        backend: who runs the models.
    """

    def __init__(self, catalogue: Catalogue, version: str, backend: str) -> None:
        self._catalogue = catalogue
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
        for servable in (self._catalogue.classifier, self._catalogue.warper):
            versions.add_metric((servable.name, "in_use"), len(servable.models))
            versions.add_metric((servable.name, "refused"), len(servable.problems))
            for version in sorted(servable.models):
                model.add_metric((servable.name, str(version)), 1)
            for name, version in sorted(servable.labels().items()):
                label.add_metric((servable.name, name, str(version)), 1)
        yield from (versions, model, label)
