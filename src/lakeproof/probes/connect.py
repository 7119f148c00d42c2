"""Questions to Kafka Connect's REST API about the connectors that capture the databases.

Kafka Connect 4.3: a status of RUNNING is no proof that rows flow (a rotated password leaves it RUNNING for a minute
and more).
"""

import re
import socket
from collections.abc import Iterator
from typing import Any

from lakeproof.errors import CouldNotLook
from lakeproof.lake.capture import missed
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.missed import NOT_BROUGHT
from lakeproof.lake.capture.offsets import own_offsets
from lakeproof.lake.capture.registered import as_registered, changed_keys
from lakeproof.lake.sources.source import SOURCES, Source
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.http import get_json
from lakeproof.probes.probe import Probe, of_source
from lakeproof.probes.reading import Value
from lakeproof.stack.stack import Stack

# Debezium's message for a row with other columns than it knows of the table. With fewer, it is a part of a row.
_SIZES = re.compile(r"internal schema size (\d+), but row size (\d+)")
SERVER_ID_TAKEN = "server id taken"
# The log has parts of rows, or statements instead of rows: no restart gets past that.
PARTIAL_ROWS = "partial rows"
# The connector cannot read a statement or a row of the log, and comes to the same one again at each start.
SCHEMA = "schema"
UNCHANGED = "none"
THERE, GONE = "there", "gone"
# What a failed task's stack trace says, of MariaDB's connector and PostgreSQL's → the kind of failure; the first that
# matches counts.
FAILURES = (
    (re.compile(r"same server_(uuid|id)", re.I), SERVER_ID_TAKEN),
    (
        re.compile(
            r"statement or mixed based replication format"
            r"|not configured to use a (FULL binlog_row_image|ROW binlog_format)",
            re.I,
        ),
        PARTIAL_ROWS,
    ),
    (
        re.compile(r"Access denied for user|password authentication failed|no pg_hba.conf entry", re.I),
        "login rejected",
    ),
    (
        re.compile(
            r"need (at least one of )?the .*privilege|command denied to user|REPLICATION SLAVE"
            r"|permission denied|not permitted to log in|must be superuser or replication role",
            re.I,
        ),
        "no privilege",
    ),
    (
        re.compile(
            r"Could not find.*(GTID|first log file)|purged|replication slot .* does not exist|no longer available on"
            r" the server|(cannot|can no longer) .*replication slot|has already been removed|invalidated",
            re.I,
        ),
        "position lost",
    ),
    (re.compile(r"publication .* does not exist", re.I), "no publication"),
    (
        re.compile(r"Communications link failure|Connection refused|Failed to (read|authenticate)", re.I),
        "no database",
    ),
    (
        re.compile(
            r"Schema(History)?Exception|Schema .*(not|isn't known)|history topic .*missing|parse"
            r"|no viable alternative",
            re.I,
        ),
        SCHEMA,
    ),
)
# A call within a stack trace. Calls say nothing of the kind of failure: each trace has a parser in it somewhere.
_CALL = re.compile(r"\s*(at |\.\.\. \d+ )")
CAUSED_BY = "Caused by: "
SHOWN = 300


def _status(stack: Stack, timeout: float, source: Source) -> Any:
    return get_json(f"{stack.url('connect')}/connectors/{source.connector}/status", timeout)


def _task(stack: Stack, timeout: float, source: Source) -> Any:
    status = _status(stack, timeout, source)
    if status is None:
        return None
    tasks = status.get("tasks") or []
    return tasks[0] if tasks else None


def connector_state(stack: Stack, timeout: float, source: Source) -> Value:
    """RUNNING, PAUSED, STOPPED, FAILED, UNASSIGNED; None where there is no such connector."""
    status = _status(stack, timeout, source)
    return None if status is None else str(status["connector"]["state"])


def task_state(stack: Stack, timeout: float, source: Source) -> Value:
    """The task's state; None where there is no task."""
    task = _task(stack, timeout, source)
    return None if task is None else str(task["state"])


def task_failure(stack: Stack, timeout: float, source: Source) -> Value:
    """The kind of failure that a failed task's trace shows: "none" where it has not failed."""
    task = _task(stack, timeout, source)
    if task is None or task["state"] != "FAILED":
        return "none"
    trace = "\n".join(_messages(task))
    if (sizes := _SIZES.search(trace)) is not None:
        return PARTIAL_ROWS if int(sizes[2]) < int(sizes[1]) else SCHEMA
    return next((kind for pattern, kind in FAILURES if pattern.search(trace)), "other")


def task_error(stack: Stack, timeout: float, source: Source) -> Value:
    """What a failed task's trace names as the root of its failure; "none" where it has not failed."""
    task = _task(stack, timeout, source)
    if task is None or task["state"] != "FAILED":
        return "none"
    messages = _messages(task)
    roots = [line for line in messages if line.startswith(CAUSED_BY)] or messages[:1]
    return roots[-1].removeprefix(CAUSED_BY)[:SHOWN] if roots else "it has no trace"


def _messages(task: Any) -> list[str]:
    """The lines of the task's trace without the calls."""
    return [line for line in str(task.get("trace", "")).splitlines() if line.strip() and not _CALL.match(line)]


def task_worker(stack: Stack, timeout: float, source: Source) -> Value:
    """THERE or GONE: whether the worker answers on which, as Kafka Connect says, the task runs.

    None where no task runs, and where the worker's address cannot be tried from here.

    Connect repeats the last word that some worker gave; a worker that was killed takes nothing back.
    """
    task = _task(stack, timeout, source)
    if task is None or task["state"] != "RUNNING":
        return None
    host, _, port = str(task["worker_id"]).rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=timeout).close()
    except ConnectionRefusedError:
        return GONE
    except OSError:
        return None
    return THERE


def capture_position(stack: Stack, timeout: float, source: Source) -> Value:
    """The connector's committed place, `FILE:POSITION` or `lsn:POSITION`; None where it has none."""
    found = get_json(f"{stack.url('connect')}/connectors/{source.connector}/offsets", timeout)
    own = [] if found is None else own_offsets(found["offsets"], find_connector(source.connector))
    if not own:
        return None
    offset = own[0]["offset"]
    return f"{offset['file']}:{offset['pos']}" if "file" in offset else f"lsn:{offset['lsn']}"


def changed(stack: Stack, timeout: float, source: Source) -> list[str] | None:
    """The keys in which the live configuration differs from the registered one; None without a connector.

    NOT_BROUGHT instead, where the connector was registered anew since, and what it missed is not brought yet.
    Raises: CouldNotLook.
    """
    where = f"{stack.url('connect')}/connectors/{source.connector}/config"
    live = get_json(where, timeout)
    if live is None:
        return None
    if not isinstance(live, dict):
        raise CouldNotLook("answered something that is no configuration", where=where)
    found = changed_keys(live, as_registered(stack, find_connector(source.connector)))
    return found or ([NOT_BROUGHT] if missed.is_noted(stack, source, missed.BY_CONNECTOR) else [])


def connector_changes(stack: Stack, timeout: float, source: Source) -> Value:
    """What `changed` gives, joined by spaces; "none"."""
    keys = changed(stack, timeout, source)
    return None if keys is None else " ".join(keys) or UNCHANGED


def connectors(stack: Stack, timeout: float) -> Value:
    """The names of all connectors, sorted, joined by spaces."""
    names = get_json(f"{stack.url('connect')}/connectors", timeout)
    if not isinstance(names, list):
        raise CouldNotLook("no list of connectors", where=stack.url("connect"))
    return " ".join(sorted(str(name) for name in names))


def _probes(source: Source) -> Iterator[Probe]:
    path = f"GET /connectors/{source.connector}"
    # No trouble of a component pauses or stops a connector, or makes its task fail for one of these reasons. A worker
    # that cannot read its topics from Kafka knows no connector, so absence may be an outage.
    by_hand: tuple[Value, ...] = ("PAUSED", "STOPPED")
    lasting: tuple[Value, ...] = (SERVER_ID_TAKEN, "login rejected", "no privilege", "position lost", PARTIAL_ROWS)
    for kind, part, ask, sound, steady in (
        ("connector-state", ".connector.state", connector_state, "RUNNING", by_hand),
        ("task-state", ".tasks[0].state", task_state, "RUNNING", ()),
        ("task-failure", ".tasks[0].trace", task_failure, "none", lasting),
    ):
        healthy, query = Condition(Operator.IS, sound), f"{path}/status {part}"
        yield of_source(source, kind, "connect", query, ask, "", healthy, about=source.about(), steady=steady)
    # Without a healthy range: `task-failure` has one already.
    yield of_source(source, "task-error", "connect", f"{path}/status, root of .tasks[0].trace", task_error)
    healthy, query = Condition(Operator.IS, UNCHANGED), f"{path}/config, against what it was registered with"
    yield of_source(
        source,
        "connector-changes",
        "connect",
        query,
        connector_changes,
        "",
        healthy,
        about=source.about(),
        steady=True,
    )
    # The last two have no healthy range: other probes tell that a task which no worker runs delivers nothing.
    worker = f"{path}/status .tasks[0].worker_id: does it answer?"
    yield of_source(source, "task-worker", "connect", worker, task_worker)
    yield of_source(source, "capture-position", "connect", f"{path}/offsets", capture_position)


PROBES = (
    *(probe for source in SOURCES for probe in _probes(source)),
    Probe("connectors", "connect", "GET /connectors", "", connectors, inventory=True),
)
