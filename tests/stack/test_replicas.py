"""Further processes of a component, as data: names, ports, folders, and what cannot have any."""

from pathlib import Path

import pytest

from lakeproof.errors import InvalidInput
from lakeproof.stack.addresses import PROCESSES_MAX, SCALABLE
from lakeproof.stack.components import all_components
from lakeproof.stack.engines import connect, flink, trino
from lakeproof.stack.engines.flink_config import config_yaml
from lakeproof.stack.replicas import family_of, replicas_for, replicas_of
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(Settings(state_dir=tmp_path, port_shift=7))


@pytest.mark.parametrize("name", SCALABLE)
def test_a_further_process_has_a_name_ports_and_folders_of_its_own(stack: Stack, name: str) -> None:
    known = all_components()
    assert replicas_of(name, known) == tuple(f"{name}-{number}" for number in range(2, PROCESSES_MAX + 1))
    second = known[f"{name}-2"]
    assert second.ports == {kind: port + 100 for kind, port in known[name].ports.items()}
    assert (second.replica_of, second.in_plain_up, second.hooks) == (name, False, ())
    assert (name in second.uses, second.nice) == (True, known[name].nice)
    assert family_of(second.name, known) == family_of(name, known) == name


def test_a_job_manager_takes_every_task_manager_down() -> None:
    assert set(all_components()["flink-jobmanager"].takes_down) == {
        "flink-taskmanager",
        "flink-taskmanager-2",
        "flink-taskmanager-3",
    }


def test_one_means_that_all_further_ones_are_surplus() -> None:
    known = all_components()
    assert replicas_for("connect", 1, known) == ((), ("connect-2", "connect-3"))
    assert replicas_for("connect", 2, known) == (("connect-2",), ("connect-3",))
    assert replicas_for("kafka", 1, known) == ((), ())


@pytest.mark.parametrize(
    ("name", "count", "said"),
    [
        ("kafka", 2, "only controller"),
        ("mysql", 2, "one primary"),
        ("cassandra-seed", 4, "lakeproof ring"),
        ("order-service", 2, "one address"),
        ("connect", 4, "too many"),
        ("connect", 0, "lakeproof stop connect"),
        ("connect-2", 2, "lakeproof scale connect 2"),
        ("cassandra-node4", 2, "lakeproof ring scale 3 or 4"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(name: str, count: int, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        replicas_for(name, count, all_components())


def test_a_second_worker_of_connect_is_of_the_same_group_and_reads_the_same_passwords(stack: Stack) -> None:
    first, second = (
        dict(line.split("=", 1) for line in connect.worker_properties(stack, name).splitlines() if "=" in line)
        for name in ("connect", "connect-2")
    )
    differing = {key for key in first if first[key] != second[key]}
    assert differing == {"listeners", "rest.advertised.port", "plugin.path"}
    assert second["listeners"] == "http://127.0.0.1:8190"


def test_a_second_server_of_trino_works_for_the_first(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakeproof.install.artifacts.path", lambda name: Path("/cache") / name)
    first, second = (trino.server_properties(stack, name) for name in ("trino", "trino-2"))
    assert (first["coordinator"], second["coordinator"]) == ("true", "false")
    assert first["discovery.uri"] == second["discovery.uri"] == "http://127.0.0.1:8087"
    secrets = {made["internal-communication.shared-secret"] for made in (first, second)}
    assert secrets == {"${ENV:LAKE_TRINO_SECRET}"}


def test_a_second_task_manager_listens_beside_the_first_and_has_a_name_of_its_own(stack: Stack) -> None:
    flink.prepare_taskmanager(stack)
    flink.prepare_taskmanager(stack, "flink-taskmanager-2")
    ids = {
        (stack.data_dir(name) / "resource-id").read_text() for name in ("flink-taskmanager", "flink-taskmanager-2")
    }
    assert len(ids) == 2
    assert 'taskmanager.data.port: "6233"' in config_yaml(stack, "flink-taskmanager-2")
    assert 'taskmanager.data.port: "6133"' in config_yaml(stack, "flink-taskmanager")
    assert (stack.etc_dir("flink-taskmanager-2") / "jmx.yml").is_file()
