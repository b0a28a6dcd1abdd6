"""Metrics as Prometheus reads them."""

from collections import defaultdict
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families


class Scrape:
    """What one look at the metrics showed.

    Args:
        text: in Prometheus's format.
    """

    def __init__(self, text: str) -> None:
        self.families = {f.name: f for f in text_string_to_metric_families(text)}
        self._samples: dict[str, list[Any]] = defaultdict(list)
        for family in self.families.values():
            for sample in family.samples:
                self._samples[sample.name].append(sample)

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of the series of a name that have these labels; 0 when there is none."""
        return sum(
            sample.value
            for sample in self._samples[name]
            if labels.items() <= sample.labels.items()
        )

    def series(self, name: str) -> list[dict[str, str]]:
        """Return the labels of each series of a name."""
        return [sample.labels for sample in self._samples[name]]

    def by(self, label: str, name: str, **labels: str) -> dict[str, float]:
        """Return sums by the values of a label, those that are 0 left out."""
        values = {sample[label] for sample in self.series(name)}
        sums = {value: self.total(name, **{label: value}, **labels) for value in values}
        return {value: total for value, total in sums.items() if total}


class Growth:
    """By how much counters grew between two looks."""

    def __init__(self, before: Scrape, after: Scrape) -> None:
        self._before, self._after = before, after

    def total(self, name: str, **labels: str) -> float:
        """Return the growth of the sum of the series of a name that have these labels."""
        return self._after.total(name, **labels) - self._before.total(name, **labels)

    def by(self, label: str, name: str, **labels: str) -> dict[str, float]:
        """Return growths by the values of a label, those that did not grow left out."""
        values = {sample[label] for sample in self._after.series(name)}
        sums = {value: self.total(name, **{label: value}, **labels) for value in values}
        return {value: total for value, total in sums.items() if total}


def scrape(client: httpx.Client) -> Scrape:
    """Look at a gateway's metrics."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return Scrape(answer.text)


async def scrape_async(client: httpx.AsyncClient) -> Scrape:
    """Likewise, within an event loop."""
    answer = await client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return Scrape(answer.text)
