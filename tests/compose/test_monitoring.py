"""What watches the gateway asks for metrics that exist, and is explained."""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import yaml

from service.app import create_app
from service.settings import Settings
from service.telemetry.access_log import QUIET_ROUTES
from tests.compose.model import GPU, ROOT, compose_model
from tests.service.fakes import FakeBackend, gateway_on
from tests.service.pictures import encoded
from tests.service.telemetry.scrapes import Scrape, scrape_async

DEPLOY = ROOT / "deploy"
RULES = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboards" / "stn-serving.json").read_text())
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
ALERTS = [rule for group in RULES for rule in group["rules"] if "alert" in rule]

# Functions, keywords and what a dashboard puts in place.
WORDS = {
    *("absent", "and", "by", "changes", "histogram_quantile", "increase", "job", "max", "min"),
    *("or", "rate", "sum", "unless", "vector", "without"),
}
UP = {"up"}  # Prometheus's own


@pytest.fixture(scope="module")
def seen() -> Scrape:
    """The metrics after one request of a caller with a key, and some work."""

    async def look() -> Scrape:
        async with gateway_on(FakeBackend()) as (client, app):
            app.edge.guards.append(lambda _, context: setattr(context, "caller", "alice"))
            await _work(client)
            return await scrape_async(client)

    return asyncio.run(look())


async def _work(client: httpx.AsyncClient) -> None:
    picture = encoded(np.zeros((4, 6), np.uint8))
    await client.post("/predict", content=picture)


def expressions() -> Iterator[str]:
    """Return all of PromQL in rules and dashboard."""
    for group in RULES:
        for rule in group["rules"]:
            yield rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        yield re.sub(r"label_values\((.*), instance\)", r"\1", variable["query"]["query"])


def names_in(expression: str) -> set[str]:
    """Return the metrics that an expression names."""
    without = re.sub(r'"[^"]*"', "", expression)
    without = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", without)
    without = re.sub(r"\b(by|without|on) *\([^)]*\)", "", without)
    return set(re.findall(r"\b[a-z_][a-z0-9_:]*\b", without)) - WORDS


def labels_in(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Return each metric with the labels that it is chosen by."""
    for name, selector in re.findall(r"([a-z_][a-z0-9_:]*)\{([^}]*)\}", expression):
        yield name, set(re.findall(r"(\w+) *(?:=~|!~|!=|=)", selector))


def existing(seen: Scrape) -> set[str]:
    """Return the names of all series, those that show only with a model server included."""
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}
    return {
        family.name + suffix
        for family in seen.families.values()
        for suffix in suffixes.get(family.type, [""])
    }


def recorded() -> set[str]:
    return {rule["record"] for group in RULES for rule in group["rules"] if "record" in rule}


def test_rules_and_dashboard_ask_for_metrics_that_exist(seen: Scrape) -> None:
    known = existing(seen) | recorded() | UP

    unknown = {e: names_in(e) - known for e in expressions() if names_in(e) - known}
    assert unknown == {}


def test_they_choose_by_labels_that_exist(seen: Scrape) -> None:
    """`instance` and `job` are Prometheus's; the calls of a model server are not in this scrape."""
    added = {"instance", "job", "grpc_service", "grpc_method", "grpc_code"}

    for expression in expressions():
        for name, labels in labels_in(expression):
            if name in UP:
                continue
            of_series = {label for series in seen.series(name) for label in series}
            assert labels <= of_series | added, expression


def test_they_group_by_labels_that_exist(seen: Scrape) -> None:
    added = {"le", "instance", "grpc_method", "grpc_code"}

    for expression in expressions():
        labels = {
            label
            for name in existing(seen) & names_in(expression)
            for series in seen.series(name)
            for label in series
        }
        for group in re.findall(r"\bby *\(([^)]*)\)", expression):
            assert set(re.findall(r"\w+", group)) <= labels | added, expression


def test_probes_are_no_callers() -> None:
    """What alerts leave out is what the log leaves out."""
    (left_out,) = {
        pattern
        for rule in RULES[0]["rules"]
        for pattern in re.findall(r'route!~"([^"]*)"', rule["expr"])
    }
    routes = {route.path for route in create_app(Settings(), FakeBackend()).routes}  # type: ignore[attr-defined]

    assert {path for path in routes if re.fullmatch(left_out, path)} == QUIET_ROUTES


def test_every_recorded_series_is_used() -> None:
    used = {name for rule in ALERTS for name in names_in(rule["expr"])}

    assert recorded() <= used


def test_every_metric_of_our_own_is_on_the_dashboard(seen: Scrape) -> None:
    """Or in an alert: what nobody looks at need not be measured."""
    looked_at = {name for expression in expressions() for name in names_in(expression)}
    ours = {name for name in existing(seen) if name.startswith(("http_", "stn_", "grpc_"))}
    families = {re.sub("_(bucket|count|sum)$", "", name) for name in ours}
    families_looked_at = {re.sub("_(bucket|count|sum)$", "", name) for name in looked_at}

    assert families - families_looked_at == {"stn_breaker_opened_total"}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_has_a_severity_a_sentence_and_an_explanation(alert: dict[str, Any]) -> None:
    """docs/operations.md has a heading for each alert."""
    assert alert["labels"] in ({"severity": "page"}, {"severity": "ticket"})
    assert alert["annotations"]["summary"].endswith(".")
    assert f"\n### {alert['alert']}\n" in OPERATIONS


def test_no_alert_is_explained_that_is_gone() -> None:
    explained = re.findall(r"^### (Stn\w+)$", OPERATIONS, re.MULTILINE)

    assert explained == [alert["alert"] for alert in ALERTS]


def test_the_page_lists_every_metric_with_its_labels_and_meaning(seen: Scrape) -> None:
    """And no other. Those of the process are the library's, and told in one row."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|(.*?)\| (.*) \|$", OPERATIONS, re.MULTILINE)
    listed = {name: (kind, meaning) for name, kind, _, meaning in rows}
    expected = {
        family.name + ("_total" if family.type == "counter" else ""): (
            family.type,
            family.documentation,
        )
        for family in seen.families.values()
        if not family.name.startswith(("process_", "python_"))
    }
    assert listed == expected

    labels = {name: set(re.findall(r"`(\w+)`", written)) for name, _, written, _ in rows}
    for name, written in labels.items():
        samples = [*seen.series(name), *seen.series(f"{name}_count")]
        if samples:
            assert written == set(samples[0]), name


def test_prometheus_scrapes_the_gateway_where_it_answers() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    model = compose_model(GPU)
    port = model["services"]["gateway"]["environment"]["STN_ADMIN_PORT"]

    assert job["static_configs"] == [{"targets": [f"gateway:{port}"]}]
    assert config["rule_files"] == ["alerts.yml"]
    assert job["job_name"] == "stn-serving"


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())[
        "datasources"
    ]
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "stn-serving.yml").read_text())[
        "providers"
    ]
    model = compose_model(GPU)
    targets = {mount["target"] for mount in model["services"]["grafana"]["volumes"]}

    assert source["url"] == "http://prometheus:9090"
    assert provider["options"]["path"] in targets
    for panel in DASHBOARD["panels"]:
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == source["uid"]
            assert panel["description"].endswith((".", "%."))


def test_the_panels_of_the_dashboard_lie_side_by_side() -> None:
    """None on top of another, none beyond the edge, no number twice."""
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert all(x < 24 for x, _ in cells)
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_the_alert_on_memory_comes_before_the_container_is_killed() -> None:
    limit = compose_model(GPU)["services"]["gateway"]["deploy"]["resources"]["limits"]["memory"]
    (alert,) = [rule for rule in ALERTS if rule["alert"] == "StnMemoryHigh"]
    threshold = float(alert["expr"].rpartition(">")[2])

    assert 0.5 < threshold / (int(limit.removesuffix("g")) * 2**30) < 0.9
