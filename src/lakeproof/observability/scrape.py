"""Prometheus' configuration, made from the list of components.

Job = component name, target = its endpoint. The supervisor tells where the further processes of a component are.
`/health` of every HTTP component is asked through blackbox-exporter in one job, `health`, whose series are
`probe_success{component="…"}`. How often each component is asked depends on the windows that the rules go by
(observability/sources.py). In mode "external" only components that the settings give an endpoint for are asked.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from lakeproof.observability.sources import (
    LIGHT_SECONDS,
    PROBE_JOB,
    PRODUCTION_SECONDS,
    SUPERVISOR_JOB,
    SUPERVISOR_SECONDS,
)
from lakeproof.observability.timing import Timing
from lakeproof.processes.ports import METRICS_PORT, REPLICAS_PATH
from lakeproof.stack.component import Component, Scrape
from lakeproof.stack.components import all_components
from lakeproof.stack.stack import Stack

REPLICAS_JOB = "replicas"
# What is kept of blackbox-exporter's answer about a URL.
PROBE_METRICS = ("probe_success", "probe_duration_seconds", "probe_http_status_code")
# Where engines answer a health question over HTTP: component → (kind of its port, path). Our services: http, /health.
HEALTH_PATHS = {
    "connect": ("http", "/health"),
    "minio": ("http", "/minio/health/live"),
    "flink-jobmanager": ("http", "/overview"),
    "nessie": ("management", "/q/health"),
    "trino": ("http", "/v1/info"),
    "prometheus": ("http", "/-/healthy"),
    "alertmanager": ("http", "/-/healthy"),
    "blackbox-exporter": ("http", "/-/healthy"),
    "mysqld-exporter": ("http", "/"),
    "postgres-exporter": ("http", "/"),
}


def render_prometheus(stack: Stack, rules_dir: Path, timing: Timing) -> str:
    """The text of prometheus.yml, with the pace that those windows need."""
    pace = _interval(LIGHT_SECONDS, timing)
    config: dict[str, Any] = {
        "global": {"scrape_interval": pace, "scrape_timeout": "1s", "evaluation_interval": pace},
        "rule_files": [f"{rules_dir}/*.yml"],
        "alerting": {"alertmanagers": [*_alertmanagers(stack)]},
        "scrape_configs": [
            *_component_jobs(stack, timing),
            *_supervisor_job(stack, timing),
            *_health_job(stack, timing),
        ],
    }
    return yaml.safe_dump(config, sort_keys=False, width=200)


def _interval(seconds: float, timing: Timing) -> str:
    """The pause between two scrapes of a job that is scraped every `seconds` in drill windows."""
    return f"{max(seconds, 0.0 if timing == 'drill' else PRODUCTION_SECONDS):g}s"


def _listed() -> list[Component]:
    """All components but further processes, which are targets only while somebody wants them."""
    return [one for one in all_components().values() if one.replica_of is None]


def _target(stack: Stack, component: str, kind: str) -> str:
    return stack.address(component, kind).removeprefix("http://").removeprefix("https://").rstrip("/")


def _alertmanagers(stack: Stack) -> Iterator[dict[str, Any]]:
    if stack.has_endpoint("alertmanager"):
        yield {"static_configs": [{"targets": [_target(stack, "alertmanager", "http")]}], "timeout": "5s"}


def _component_jobs(stack: Stack, timing: Timing) -> Iterator[dict[str, Any]]:
    for component in _listed():
        for number, scrape in enumerate(component.scrapes):
            if stack.has_endpoint(component.name, scrape.port):
                yield _component_job(stack, component, scrape, number, timing)


def _component_job(stack: Stack, component: Component, scrape: Scrape, number: int, timing: Timing) -> dict[str, Any]:
    # A second endpoint of one component needs a job_name of its own; its series keep job=component.
    job: dict[str, Any] = {
        "job_name": component.name if number == 0 else f"{component.name}-{scrape.port}",
        "metrics_path": "/metrics",
        "scrape_interval": _interval(scrape.seconds, timing),
        # The same timeout in both windows: a component that is too slow for a drill must not look well before one.
        "scrape_timeout": _interval(scrape.seconds, "drill"),
        "static_configs": [
            {"targets": [_target(stack, component.name, scrape.port)], "labels": {"job": component.name}}
        ],
    }
    if scrape.port == "jmx" and scrape.names:
        # The agent then collects no metrics of the JVM itself: to look for deadlocks it would stop all threads.
        job["params"] = {"name[]": list(scrape.names)}
    return job | _keeping(scrape.names)


def _keeping(names: tuple[str, ...]) -> dict[str, Any]:
    """Drop every metric of a job but these; where none is named, keep all."""
    if not names:
        return {}
    return {"metric_relabel_configs": [{"source_labels": ["__name__"], "regex": "|".join(names), "action": "keep"}]}


def _supervisor_job(stack: Stack, timing: Timing) -> Iterator[dict[str, Any]]:
    if stack.settings.mode == "local":
        target = f"{stack.settings.host}:{METRICS_PORT + stack.settings.port_shift}"
        # Its series speak of other components: their own labels win.
        yield {
            "job_name": SUPERVISOR_JOB,
            "honor_labels": True,
            "scrape_interval": f"{LIGHT_SECONDS if timing == 'drill' else SUPERVISOR_SECONDS:g}s",
            "static_configs": [{"targets": [target]}],
        }
        yield {
            "job_name": REPLICAS_JOB,
            "scrape_interval": _interval(LIGHT_SECONDS, timing),
            "http_sd_configs": [
                {"url": f"http://{target}{REPLICAS_PATH}", "refresh_interval": _interval(2.0, timing)}
            ],
        }


def health_urls(stack: Stack) -> dict[str, str]:
    """Component → the URL that tells whether it is well, for every component that answers over HTTP."""
    found = {}
    for component in _listed():
        default = ("http", "/health") if component.kind == "service" and "http" in component.ports else None
        place = HEALTH_PATHS.get(component.name, default)
        if place and place[0] in component.ports and stack.has_endpoint(component.name, place[0]):
            found[component.name] = stack.url(component.name, place[0]) + place[1]
    return found


def _health_job(stack: Stack, timing: Timing) -> Iterator[dict[str, Any]]:
    if not stack.has_endpoint("blackbox-exporter"):
        return
    yield {
        "job_name": PROBE_JOB,
        "metrics_path": "/probe",
        "params": {"module": ["http"]},
        "scrape_interval": _interval(LIGHT_SECONDS, timing),
        "static_configs": [
            {"targets": [url], "labels": {"component": name}} for name, url in health_urls(stack).items()
        ],
        "relabel_configs": [
            {"source_labels": ["__address__"], "target_label": "__param_target"},
            {"source_labels": ["__param_target"], "target_label": "instance"},
            {"target_label": "__address__", "replacement": _target(stack, "blackbox-exporter", "http")},
        ],
    } | _keeping(PROBE_METRICS)
