"""Questions to Kafka Connect's REST API about the connector that captures the shop's database.

Kafka Connect 4.3: a status of RUNNING is no proof that rows flow (a rotated password leaves it RUNNING for a minute
and more).
"""

import re
from typing import Any

from lakeproof.errors import CouldNotLook
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.http import get_json
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Value
from lakeproof.stack.stack import Stack

CONNECTOR = "orders"

# What a failed task's stack trace says → the kind of failure; the first that matches counts.
FAILURES = (
    (re.compile(r"Access denied for user", re.I), "login rejected"),
    (
        re.compile(r"need (at least one of )?the .*privilege|command denied to user|REPLICATION SLAVE", re.I),
        "no privilege",
    ),
    (re.compile(r"Could not find.*(GTID|first log file)|purged", re.I), "position lost"),
    (
        re.compile(r"Communications link failure|Connection refused|Failed to (read|authenticate)", re.I),
        "no database",
    ),
    (re.compile(r"Schema(Exception| .*not)|parse|no viable alternative", re.I), "schema"),
)


def _status(stack: Stack, timeout: float) -> Any:
    return get_json(f"{stack.url('connect')}/connectors/{CONNECTOR}/status", timeout)


def _task(stack: Stack, timeout: float) -> Any:
    status = _status(stack, timeout)
    if status is None:
        return None
    tasks = status.get("tasks") or []
    return tasks[0] if tasks else None


def connector_state(stack: Stack, timeout: float) -> Value:
    """RUNNING, PAUSED, STOPPED, FAILED, UNASSIGNED; None where there is no such connector."""
    status = _status(stack, timeout)
    return None if status is None else str(status["connector"]["state"])


def task_state(stack: Stack, timeout: float) -> Value:
    """The task's state; None where there is no task."""
    task = _task(stack, timeout)
    return None if task is None else str(task["state"])


def task_failure(stack: Stack, timeout: float) -> Value:
    """The kind of failure that a failed task's trace shows: "none" where it has not failed."""
    task = _task(stack, timeout)
    if task is None or task["state"] != "FAILED":
        return "none"
    trace = str(task.get("trace", ""))
    return next((kind for pattern, kind in FAILURES if pattern.search(trace)), "other")


def capture_position(stack: Stack, timeout: float) -> Value:
    """Where in the binlog the connector stands, `file:position` by its committed offsets; None where it has none."""
    found = get_json(f"{stack.url('connect')}/connectors/{CONNECTOR}/offsets", timeout)
    if found is None or not found.get("offsets"):
        return None
    offset = found["offsets"][0]["offset"]
    return f"{offset.get('file')}:{offset.get('pos')}"


def connectors(stack: Stack, timeout: float) -> Value:
    """The names of all connectors, sorted, joined by spaces."""
    names = get_json(f"{stack.url('connect')}/connectors", timeout)
    if not isinstance(names, list):
        raise CouldNotLook("no list of connectors", where=stack.url("connect"))
    return " ".join(sorted(str(name) for name in names))


PROBES = (
    Probe(
        "connector-state",
        "connect",
        f"GET /connectors/{CONNECTOR}/status .connector.state",
        "",
        connector_state,
        Condition(Operator.IS, "RUNNING"),
    ),
    Probe(
        "task-state",
        "connect",
        f"GET /connectors/{CONNECTOR}/status .tasks[0].state",
        "",
        task_state,
        Condition(Operator.IS, "RUNNING"),
    ),
    Probe(
        "task-failure",
        "connect",
        f"GET /connectors/{CONNECTOR}/status .tasks[0].trace",
        "",
        task_failure,
        Condition(Operator.IS, "none"),
    ),
    Probe("capture-position", "connect", f"GET /connectors/{CONNECTOR}/offsets", "", capture_position),
    Probe("connectors", "connect", "GET /connectors", "", connectors, inventory=True),
)
