"""What there is in a stack, as a drill compares it before and after: growth is no change, what was left behind is."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Answering
from tests.doubles.plugins import OURS

from lakeproof.deadline import Deadline
from lakeproof.lake.sources.source import OLTP
from lakeproof.probes import mariadb
from lakeproof.probes.nessie import lake_tables
from lakeproof.probes.object_store import list_folders, objects
from lakeproof.probes.probe import all_probes
from lakeproof.probes.processes import processes
from lakeproof.processes import procfs
from lakeproof.processes.environment import COMPONENT, RUN_ID
from lakeproof.processes.mark import marking
from lakeproof.processes.runtime import Runtime
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

KEYS = [
    "lake/wh/oltp.db/orders/snapshot/snapshot-1",
    "lake/wh/oltp.db/orders/bucket-0/data-1.parquet",
    "lake/wh/iceberg/oltp/orders/metadata/v1.metadata.json",
    "flink/checkpoints/lake-oltp/1/chk-1/_metadata",
    "fulfillment-artifacts/pending/1",
    "support-attachments/7/a",
]
GROWN = [
    "lake/wh/oltp.db/orders/bucket-1/data-2.parquet",
    "lake/wh/iceberg/oltp/orders/published/2.json",
    "flink/savepoints/lake-oltp/savepoint-1/_metadata",
    "fulfillment-artifacts/ready/2",
    "support-attachments/8/b",
    "flink/lakeproof-probe-host-1",
    "lake/lakeproof-probe-host-1",
    "lake/wh/lakeproof-probe-host-1",
    "fulfillment-artifacts/lakeproof-probe-host-1",
]


class Store:
    """An S3 client over `bucket/key`s, which lists by folders."""

    def __init__(self, keys: list[str]) -> None:
        self.keys = keys

    def list_buckets(self) -> dict[str, Any]:
        return {"Buckets": [{"Name": name} for name in sorted({key.partition("/")[0] for key in self.keys})]}

    def get_paginator(self, name: str) -> "Store":
        assert name == "list_objects_v2"
        return self

    def paginate(self, Bucket: str, Prefix: str, Delimiter: str) -> Iterator[dict[str, Any]]:
        start = f"{Bucket}/{Prefix}"
        below = [key.removeprefix(start) for key in self.keys if key.startswith(start)]
        yield {
            "CommonPrefixes": [
                {"Prefix": f"{Prefix}{each}/"} for each in sorted({k.split("/")[0] for k in below if "/" in k})
            ]
        }
        yield {"Contents": [{"Key": f"{Prefix}{each}"} for each in below if "/" not in each]}


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(Settings(name="inventory", state_dir=tmp_path))


@contextmanager
def sleeping(**environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process of a session of its own, as one that outlives who started it."""
    child = subprocess.Popen(["sleep", "60"], env=os.environ | environment, start_new_session=True)
    try:
        # Popen returns while the new program takes the place of the old one; its environment comes a moment later.
        Deadline(30).wait_for("its environment", lambda: procfs.read_environment(child.pid) or None, every=0.01)
        yield child
    finally:
        child.kill()
        child.wait()


def test_folders_are_named_down_to_the_tables_and_their_files_may_grow() -> None:
    before = set(list_folders(Store(KEYS)))
    assert {"lake/wh/oltp.db/orders/", "lake/wh/iceberg/oltp/orders/", "flink/", "support-attachments/"} <= before
    assert set(list_folders(Store(KEYS + GROWN))) == before
    # And what is worked in may be empty by now.
    assert set(list_folders(Store([*KEYS[:3], "flink/", "fulfillment-artifacts/", "support-attachments/"]))) == before


@pytest.mark.parametrize(
    ("left", "named"),
    [
        ("lake/wh/oltp.db/copied/schema/schema-0", "lake/wh/oltp.db/copied/"),
        ("lake/wh/other.db/t/schema/schema-0", "lake/wh/other.db/t/"),
        ("lake/dump.csv", "lake/dump.csv"),
        ("rescue/backup/1", "rescue/"),
        ("flink/spare/1", "flink/spare/"),
        ("fulfillment-artifacts/chaos/fulfillment-delay/1", "fulfillment-artifacts/chaos/"),
        ("support-attachments/dump", "support-attachments/dump"),
    ],
)
def test_a_table_a_bucket_or_an_object_that_was_left_is_named(left: str, named: str) -> None:
    assert named in set(list_folders(Store([*KEYS, left]))) - set(list_folders(Store(KEYS)))


def test_the_store_is_asked_by_folder_and_odd_names_stay_one_word(tmp_path: Path, answering: Answering) -> None:
    asked: list[str] = []

    def answers(method: str, path: str, body: bytes) -> tuple[int, object]:
        asked.append(path)
        if path.startswith("/?") or path == "/":
            return (
                200,
                b"<ListAllMyBucketsResult><Buckets><Bucket><Name>lake</Name></Bucket></Buckets></ListAllMyBucketsResult>",
            )
        return 200, (
            b"<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>two words</Key></Contents>"
            b"<CommonPrefixes><Prefix>left/</Prefix></CommonPrefixes></ListBucketResult>"
        )

    store = {"minio": {"http": answering(answers)}}
    found = objects(Stack(Settings(state_dir=tmp_path, endpoints=store)), 3.0)
    assert str(found).split() == ["lake/", "lake/left/", "lake/two%20words"]
    assert "delimiter=%2F" in asked[-1]


def test_a_store_that_does_not_answer_was_not_looked_at(tmp_path: Path) -> None:
    away = Stack(Settings(state_dir=tmp_path, endpoints={"minio": {"http": "127.0.0.1:9"}}))
    assert not all_probes(OURS)["objects"].look(away, 1.0).answered


def test_tables_on_main_are_read_page_by_page_without_namespaces(tmp_path: Path, answering: Answering) -> None:
    def entry(kind: str, *elements: str) -> dict[str, Any]:
        return {"type": kind, "name": {"elements": elements}}

    def answers(method: str, path: str, body: bytes) -> tuple[int, object]:
        assert path.startswith("/api/v2/trees/main/entries?")
        if "page-token=more" in path:
            return 200, {"entries": [entry("ICEBERG_TABLE", "oltp", "copied")], "hasMore": False}
        found = [entry("NAMESPACE", "oltp"), entry("ICEBERG_TABLE", "oltp", "orders")]
        return 200, {"entries": found, "hasMore": True, "token": "more"}

    nessie = {"nessie": {"http": answering(answers)}}
    assert lake_tables(Stack(Settings(state_dir=tmp_path, endpoints=nessie)), 3.0) == "oltp.copied oltp.orders"


def test_the_databases_own_tables_are_left_out(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mariadb, "select", lambda *asked: (("oltp.orders",), ("oltp.copied",)))
    assert mariadb.tables(stack, 3.0, OLTP) == "oltp.copied oltp.orders"
    assert all(f"'{own}'" in mariadb.TABLES for own in ("mysql", "sys", "information_schema", "performance_schema"))


def test_what_a_drill_started_is_named_while_it_lives(stack: Stack) -> None:
    with marking("drill-1"):
        assert processes(stack, 3.0) == ""
        with sleeping() as child:
            assert processes(stack, 3.0) == f"sleep[{child.pid}]"
            with marking("drill-2"):
                assert processes(stack, 3.0) == ""
        assert processes(stack, 3.0) == ""


def test_components_are_named_once_and_those_on_demand_are_not(stack: Stack) -> None:
    ours = {RUN_ID: Runtime(stack).new_run_id()}
    with (
        sleeping(**ours, **{COMPONENT: "mysql"}),
        sleeping(**ours, **{COMPONENT: "mysql"}),
        sleeping(**ours, **{COMPONENT: "flink-sql-gateway"}),
        sleeping(**{RUN_ID: "inventory-00000000-1", COMPONENT: "kafka"}),
    ):
        assert processes(stack, 3.0) == "mysql"
