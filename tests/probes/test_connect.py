"""What a failed task's trace says, in what a connector is not as its file, and whether its worker is there."""

import socket
from contextlib import closing

import pytest

from lakeproof.errors import CouldNotLook
from lakeproof.lake.capture.connector import find_connector, render
from lakeproof.lake.sources.source import OLTP, SHOP, Source
from lakeproof.probes import connect
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


@pytest.mark.parametrize(
    ("trace", "kind"),
    [
        ("Caused by: java.sql.SQLException: Access denied for user 'cdc'@'localhost'", "login rejected"),
        (
            "Access denied; you need (at least one of) the REPLICATION SLAVE privilege(s) for this operation",
            "no privilege",
        ),
        ("Could not find GTID state requested by slave in any binlog files", "position lost"),
        ("java.net.ConnectException: Connection refused", "no database"),
        (
            "A slave with the same server_uuid/server_id as this slave has connected to the master",
            "server id taken",
        ),
        ("java.lang.OutOfMemoryError", "other"),
        ('FATAL: password authentication failed for user "cdc"', "login rejected"),
        ('FATAL: role "cdc" is not permitted to log in', "no privilege"),
        ("FATAL: must be superuser or replication role to start walsender", "no privilege"),
        (
            "The connector is trying to read change stream at X, but this is no longer available on the server.",
            "position lost",
        ),
        ('ERROR: replication slot "lake" does not exist', "position lost"),
        ('ERROR: cannot read from logical replication slot "lake"', "position lost"),
        (
            "Caused by: io.debezium.DebeziumException: Error processing row in orders, internal schema size 9,"
            " but row size 1 , restart connector with schema recovery mode.",
            "partial rows",
        ),
        ("Error processing row in orders, internal schema size 9, but row size 10 , restart connector", "schema"),
        ("Error processing row in orders, internal schema size 9, but row size 9 , restart connector", "schema"),
        ("The MariaDB server is not configured to use a FULL binlog_row_image, which is required", "partial rows"),
        ('ERROR: publication "lake" does not exist', "no publication"),
        ("Encountered change event for table oltp.orders whose schema isn't known to this connector", "schema"),
        ("The db history topic or its content is fully or partially missing. Please check", "schema"),
        # It was slow to read; the next start may do it.
        ("IllegalStateException: The database schema history couldn't be recovered. Consider to increase", "other"),
    ],
)
def test_a_trace_is_sorted_by_what_it_says(trace: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    status = {"connector": {"state": "RUNNING"}, "tasks": [{"state": "FAILED", "trace": trace}]}
    monkeypatch.setattr(connect, "_status", lambda stack, timeout, connector: status)
    assert connect.task_failure(object(), 1, OLTP) == kind  # type: ignore[arg-type]


TOO_LARGE = """org.apache.kafka.connect.errors.ConnectException: Unrecoverable exception from producer send callback
\tat org.apache.kafka.connect.runtime.WorkerSourceTask.maybeThrowProducerSendException(WorkerSourceTask.java:306)
Caused by: org.apache.kafka.common.errors.RecordTooLargeException: The message is 1048588 bytes when serialized
\tat com.example.JsonParser.parse(JsonParser.java:9)
\t... 7 more
"""
UNREAD = """io.debezium.DebeziumException: Error processing binlog event
\tat io.debezium.connector.binlog.BinlogStreamingChangeEventSource.handleEvent(Source.java:1)
Caused by: io.debezium.text.ParsingException: DDL statement couldn't be parsed. Please open a Jira issue
no viable alternative at input 'ALTER TABLE'
\t... 5 more
"""


@pytest.mark.parametrize(
    ("trace", "kind", "root"),
    [
        # A call within a trace names a parser, whatever failed.
        (
            TOO_LARGE,
            "other",
            "org.apache.kafka.common.errors.RecordTooLargeException: The message is 1048588 bytes when serialized",
        ),
        (
            UNREAD,
            "schema",
            "io.debezium.text.ParsingException: DDL statement couldn't be parsed. Please open a Jira issue",
        ),
        ("java.lang.OutOfMemoryError\n\tat x.y(Z.java)", "other", "java.lang.OutOfMemoryError"),
        ("", "other", "it has no trace"),
    ],
)
def test_a_trace_is_told_by_its_root_and_sorted_by_its_messages(
    trace: str, kind: str, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = {"state": "FAILED", "trace": trace}
    monkeypatch.setattr(connect, "_status", lambda *_: {"connector": {"state": "RUNNING"}, "tasks": [task]})
    stack = Stack(Settings())
    assert (connect.task_failure(stack, 1, OLTP), connect.task_error(stack, 1, OLTP)) == (kind, root)
    task["state"] = "RUNNING"
    assert connect.task_error(stack, 1, OLTP) == "none"


def test_a_connector_without_tasks_has_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "_status", lambda *asked: {"connector": {"state": "STOPPED"}, "tasks": []})
    assert connect.task_state(object(), 1, OLTP) is None  # type: ignore[arg-type]
    assert connect.task_failure(object(), 1, OLTP) == "none"  # type: ignore[arg-type]


@pytest.mark.parametrize("source", [OLTP, SHOP])
def test_a_connector_is_held_against_its_file(source: Source, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    live: dict[str, str] | None = render(stack, find_connector(source.connector)) | {"name": source.connector}
    monkeypatch.setattr(connect, "get_json", lambda url, timeout: live)
    assert connect.connector_changes(stack, 1, source) == "none"
    live = {**(live or {}), "table.include.list": "x", "skipped.operations": "d"}
    assert connect.connector_changes(stack, 1, source) == "skipped.operations table.include.list"
    live = None
    assert connect.connector_changes(stack, 1, source) is None


def test_an_answer_that_is_no_configuration_is_none(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "get_json", lambda url, timeout: ["x"])
    with pytest.raises(CouldNotLook, match="no configuration"):
        connect.connector_changes(stack, 1, OLTP)


def test_the_position_is_that_of_the_connectors_own_name(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps a second place, of a prefix that somebody gave it for a while."""
    other = {"partition": {"server": "other"}, "offset": {"file": "bin.000001", "pos": 4}}
    own = {"partition": {"server": "oltp"}, "offset": {"file": "bin.000002", "pos": 9}}
    known = {"offsets": [other, own]}
    monkeypatch.setattr(connect, "get_json", lambda url, timeout: known)
    assert connect.capture_position(stack, 1, OLTP) == "bin.000002:9"
    known = {"offsets": [other]}
    assert connect.capture_position(stack, 1, OLTP) is None


@pytest.mark.parametrize(
    ("state", "listens", "host", "told"),
    [
        ("RUNNING", True, "127.0.0.1", connect.THERE),
        ("RUNNING", False, "127.0.0.1", connect.GONE),
        # What does not run has no worker to ask; an address that tells nothing here is somebody else's.
        ("FAILED", False, "127.0.0.1", None),
        ("RUNNING", True, "no-such-host.invalid", None),
    ],
)
def test_a_task_that_runs_on_a_worker_that_is_gone_is_told(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, state: str, listens: bool, host: str, told: str | None
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        if not listens:
            server.close()
        status = {"connector": {}, "tasks": [{"state": state, "worker_id": f"{host}:{port}"}]}
        monkeypatch.setattr(connect, "get_json", lambda *_: status)
        assert connect.task_worker(stack, 1.0, OLTP) == told


def test_without_a_task_there_is_no_worker(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "get_json", lambda *_: {"connector": {}, "tasks": []})
    assert connect.task_worker(stack, 1.0, OLTP) is None
