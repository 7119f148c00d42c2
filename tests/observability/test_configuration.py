import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from lakeproof.observability.scrape import health_urls, render_prometheus
from lakeproof.observability.timing import TIMINGS, Timing
from lakeproof.stack.components import all_components
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def stack(**settings: object) -> Stack:
    return Stack(Settings.model_validate({"state_dir": "/tmp/none", "port_shift": 100} | settings))


def test_every_component_with_metrics_is_a_job_of_its_name() -> None:
    config = yaml.safe_load(render_prometheus(stack(), Path("/rules"), "production"))
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert jobs["desk"]["static_configs"] == [{"targets": ["127.0.0.1:8100"], "labels": {"job": "desk"}}]
    assert {"supervisor", "health", "alertmanager", "prometheus"} <= set(jobs)


def paces(timing: Timing) -> dict[str, str]:
    """Job → pause between two of its scrapes, and "rules" → between two evaluations."""
    config = yaml.safe_load(render_prometheus(stack(), Path("/rules"), timing))
    return {job["job_name"]: job["scrape_interval"] for job in config["scrape_configs"]} | {
        "rules": config["global"]["evaluation_interval"]
    }


def test_only_a_drill_has_everything_asked_and_evaluated_each_second() -> None:
    drill, production = paces("drill"), paces("production")
    assert {drill[name] for name in ("rules", "health", "supervisor", "connect", "order-service")} == {"1s"}
    assert drill["flink-taskmanager"] == "5s"
    assert production.pop("supervisor") == "2s"
    assert set(production.values()) == {"5s"}


def test_nothing_that_a_rule_reads_is_dropped() -> None:
    config = yaml.safe_load(render_prometheus(stack(), Path("/rules"), "production"))
    kept = {
        job["job_name"]: job["metric_relabel_configs"][0]["regex"].split("|")
        for job in config["scrape_configs"]
        if "metric_relabel_configs" in job
    }
    read = yaml.safe_load((files("lakeproof.observability") / "metrics.yml").read_text(encoding="utf-8"))
    assert [name for name, job in read.items() if job in kept and name not in kept[job]] == []
    assert {"mysqld-exporter", "flink-taskmanager", "health"} <= set(kept)


def test_an_agent_is_asked_only_for_what_is_kept() -> None:
    config = yaml.safe_load(render_prometheus(stack(), Path("/rules"), "production"))
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert jobs["trino"]["params"]["name[]"] == ["trino_execution_queuedqueries", "trino_execution_runningqueries"]
    assert [
        name
        for name, component in all_components().items()
        for one in component.scrapes
        if one.port == "jmx" and not one.names
    ] == []


def test_further_processes_are_targets_only_where_the_supervisor_says_so() -> None:
    config = yaml.safe_load(render_prometheus(stack(), Path("/rules"), "production"))
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert not {"connect-2", "trino-2", "flink-taskmanager-2"} & (set(jobs) | set(health_urls(stack())))
    assert jobs["replicas"]["http_sd_configs"][0]["url"] == "http://127.0.0.1:9356/replicas"


def test_an_external_stack_is_asked_only_where_the_settings_point() -> None:
    external = stack(mode="external", endpoints={"desk": {"http": "10.0.0.5:80"}, "connect": {"http": "10.0.0.6:83"}})
    assert health_urls(external).get("desk") == "http://10.0.0.5:80/health"
    config = yaml.safe_load(render_prometheus(external, Path("/rules"), "production"))
    assert [job["job_name"] for job in config["scrape_configs"]] == ["desk"]
    assert config["alerting"] == {"alertmanagers": []}
    probing = stack(
        mode="external",
        endpoints={
            "desk": {"http": "10.0.0.5:80"},
            "blackbox-exporter": {"http": "10.0.0.7:9115"},
            "alertmanager": {"http": "http://10.0.0.8:9093"},
        },
    )
    config = yaml.safe_load(render_prometheus(probing, Path("/rules"), "production"))
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert jobs["health"]["relabel_configs"][-1]["replacement"] == "10.0.0.7:9115"
    assert config["alerting"]["alertmanagers"][0]["static_configs"] == [{"targets": ["10.0.0.8:9093"]}]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize("timing", TIMINGS)
def test_promtool_accepts_the_configuration(tmp_path: Path, timing: Timing) -> None:
    (tmp_path / "prometheus.yml").write_text(render_prometheus(stack(), tmp_path / "rules", timing))
    done = subprocess.run(
        ["promtool", "check", "config", "prometheus.yml"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
