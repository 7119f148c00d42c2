"""Which TaskManager counts as registered, over a JobManager that knows those which the test names."""

import os
import re
from importlib.resources import files
from pathlib import Path
from typing import Literal

import pytest
import yaml
from tests.conftest import Answering

from lakeproof.errors import NotReady
from lakeproof.stack.engines import flink, flink_config
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

RESOURCE_ID = Path("data", "flink-taskmanager", "resource-id")


class JobManager:
    """JobManager and TaskManager's metrics in one."""

    known: tuple[str, ...] = ()

    def answer(self, _method: str, _path: str, _body: bytes) -> tuple[int, object]:
        return 200, {"taskmanagers": [{"id": each} for each in self.known]}


@pytest.fixture
def job_manager() -> JobManager:
    return JobManager()


@pytest.fixture
def address(job_manager: JobManager, answering: Answering) -> str:
    return answering(job_manager.answer)


def stack_at(address: str, state_dir: Path, mode: Literal["local", "external"]) -> Stack:
    endpoints = {"flink-jobmanager": {"http": address}, "flink-taskmanager": {"jmx": address}}
    return Stack(Settings(mode=mode, state_dir=state_dir, endpoints=endpoints))


def test_only_the_task_manager_that_was_started_last_counts(
    job_manager: JobManager, address: str, tmp_path: Path
) -> None:
    stack = stack_at(address, tmp_path, "local")
    job_manager.known = ("killed",)
    flink.prepare_taskmanager(stack)
    with pytest.raises(NotReady, match="not registered"):
        flink.taskmanager_ready(stack, 5)
    job_manager.known = ("killed", (tmp_path / RESOURCE_ID).read_text())
    flink.taskmanager_ready(stack, 5)


def test_of_somebody_elses_any_task_manager_counts_whatever_was_once_started_here(
    job_manager: JobManager, address: str, tmp_path: Path
) -> None:
    stack = stack_at(address, tmp_path, "external")
    (tmp_path / RESOURCE_ID).parent.mkdir(parents=True)
    (tmp_path / RESOURCE_ID).write_text("started-here-once")
    job_manager.known = ("theirs",)
    flink.taskmanager_ready(stack, 5)
    job_manager.known = ()
    with pytest.raises(NotReady, match="not registered"):
        flink.taskmanager_ready(stack, 5)


def test_a_task_manager_that_starts_waits_for_the_job_manager_and_an_old_one_does_not(
    job_manager: JobManager, address: str, tmp_path: Path
) -> None:
    stack = stack_at(address, tmp_path, "local")
    stack.settings.endpoints["flink-jobmanager"] = {"http": "127.0.0.1:9"}
    flink.prepare_taskmanager(stack)
    with pytest.raises(NotReady, match="waits for the JobManager"):
        flink.taskmanager_ready(stack, 5)
    an_hour_ago = (tmp_path / RESOURCE_ID).stat().st_mtime - 3600
    os.utime(tmp_path / RESOURCE_ID, (an_hour_ago, an_hour_ago))
    flink.taskmanager_ready(stack, 5)


def test_a_task_managers_name_is_new_for_each_start_and_whole(tmp_path: Path, stack: Stack) -> None:
    names = set()
    for _ in range(2):
        flink.prepare_taskmanager(stack)
        names.add((tmp_path / RESOURCE_ID).read_text())
        assert [path.name for path in (tmp_path / RESOURCE_ID).parent.glob("resource-id*")] == ["resource-id"]
    assert len(names) == 2 and all(len(name) == 32 for name in names)


@pytest.mark.parametrize(
    ("attribute", "name", "quantile"),
    [
        ("Median", "flink_jobmanager_job_latency", "0.5"),
        ("99thPercentile", "flink_jobmanager_job_latency", "0.99"),
        ("999thPercentile", "flink_jobmanager_job_latency", "0.999"),
        ("StdDev", "flink_jobmanager_job_latency_StdDev", None),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_a_markers_time_to_an_operator_is_the_jobs_latency_whatever_the_order_of_the_beans_keys(
    attribute: str, name: str, quantile: str | None, order: int
) -> None:
    keys = ["source_id=a1", "job_name=lake-oltp", "operator_id=b2", "operator_subtask_index=0", "task_name=Writer"]
    bean = (
        "org.apache.flink.taskmanager.job.task.latency.source_id.operator_id.operator_subtask_index.latency"
        f"<{', '.join(keys[::order])}><>{attribute}: 12.0"
    )
    text = files("lakeproof.stack.engines").joinpath("jmx", "flink-taskmanager.yml").read_text()
    rules = yaml.safe_load(text)["rules"]
    place, match = next((i, found) for i, rule in enumerate(rules) if (found := re.search(rule["pattern"], bean)))

    def written(told: str) -> str:
        return re.sub(r"\$(\d)", lambda group: match[int(group[1])], told)

    labels = {key: written(value) for key, value in rules[place]["labels"].items()}
    assert (written(rules[place]["name"]), labels.pop("quantile", None)) == (name, quantile)
    assert labels == {"job_name": "lake-oltp", "source_id": "a1", "operator_id": "b2", "subtask": "0"}
    # every attribute by one of the first rules: what is matched late, or by none, costs the agent a look-up per rule
    assert place < 3


@pytest.mark.parametrize("server", ["flink-jobmanager", "flink-sql-gateway"])
def test_answers_are_for_flinks_own_pages_only(stack: Stack, server: str) -> None:
    config = yaml.safe_load(flink_config.config_yaml(stack, server))
    assert config["web.access-control-allow-origin"] == stack.url("flink-jobmanager")
