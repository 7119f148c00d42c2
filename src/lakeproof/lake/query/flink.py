"""Flink's SQL gateway: batch statements on the lake's own Paimon tables, each read at its published snapshot.

A view per table pins it, so the user's `oltp.orders` is the published state here as well. The catalog's SQL carries
no keys: Paimon falls back on Flink's own file system, which has them from its configuration. Statements run on the
one slot of the TaskManager that the lake's job leaves free; a MiniCluster inside the gateway would need no
TaskManager, but each statement leaks its class loaders (out of metaspace after five).
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import httpx

from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput, NotReady
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.query.answer import Answer, Column, EngineUnreachable, StatementFailed, one_line
from lakeproof.lake.sources.source import NAMES
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack import loopback
from lakeproof.stack.engines.flink import gateway_ready, jobmanager_ready
from lakeproof.stack.engines.trino import CATALOG, SCHEMA
from lakeproof.stack.object_store import WAREHOUSE
from lakeproof.stack.stack import Stack

ENGINE = "flink"
_GATEWAY = "flink-sql-gateway"
_STORE = "lake_store"
# How long one page of an answer may take. A gateway that had just started gave its first 194 answers within 0.2 s
# each. On a slow machine one answer was not there after 15 s, and nobody knows why.
_PAGE_SECONDS = 30.0
_TIDY_SECONDS = 15.0
_PAUSE_SECONDS = 0.05
_LOOK_SECONDS = 3.0
_TASKMANAGER_SECONDS = 15.0
# The settings of every session. A statement that fails has failed: by default the cluster would retry it for ever.
BATCH = {
    "execution.runtime-mode": "batch",
    "table.local-time-zone": "UTC",
    # blocking exchanges ask for 512 network buffers each, more than a small TaskManager has beside the lake's job;
    # the scheduler of batch jobs takes no pipelined ones
    "execution.batch-shuffle-mode": "ALL_EXCHANGES_HYBRID_FULL",
    "pipeline.name": "lakeproof-query",
    "restart-strategy.type": "none",
}

type Progress = Callable[[str], None]


def start_gateway(
    stack: Stack, progress: Progress = lambda text: None, *, taskmanager_seconds: float = _TASKMANAGER_SECONDS
) -> None:
    """Have the gateway running; it stays until `down`. A reader starts nothing else; it waits for a TaskManager.

    Raises: EngineUnreachable where the JobManager does not answer or has no TaskManager, or where the gateway of an
    external stack does not answer.
    """
    try:
        jobmanager_ready(stack, _LOOK_SECONDS)
        _await_taskmanager(stack, progress, taskmanager_seconds)
        try:
            gateway_ready(stack, _LOOK_SECONDS)
        except NotReady:
            if stack.settings.mode == "external":
                raise
            progress("flink: starting the SQL gateway")
            SupervisorClient(stack).start(_GATEWAY)
    except (NotReady, InvalidInput) as missing:  # InvalidInput: an external stack's, whose endpoint is not given
        mend = missing.next_action or f"lakeproof up {missing.where}"
        raise EngineUnreachable(missing.what, where=missing.where, next_action=mend) from missing


def _await_taskmanager(stack: Stack, progress: Progress, seconds: float) -> None:
    """Without a TaskManager a statement waits for a slot until its deadline; a killed one is back in seconds."""
    deadline = Deadline(seconds)
    while _taskmanagers(stack) == 0:
        if deadline.expired:
            raise NotReady("none is registered", where="flink-taskmanager")
        progress("flink: no TaskManager is registered; waiting for one")
        deadline.pause(0.5)


def _taskmanagers(stack: Stack) -> int:
    try:
        overview = loopback.get(f"{stack.url('flink-jobmanager')}/overview", timeout=_LOOK_SECONDS)
        return int(overview.json()["taskmanagers"])
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise NotReady(f"no answer: {type(error).__name__}", where="flink-jobmanager") from error


class PinnedFlink:
    """Statements of one session; by `pinned_flink` all see the lake at one published hash."""

    def __init__(self, client: httpx.Client, session: str) -> None:
        self._client, self._path = client, f"/v1/sessions/{session}"

    @property
    def url(self) -> str:
        """The session's address."""
        return f"{self._client.base_url}{self._path}".replace("//v1", "/v1")

    def run(self, sql: str, deadline: Deadline, *, progress: Progress = lambda text: None) -> Answer:
        """The whole answer to one statement.

        Raises: StatementFailed with Flink's message; EngineUnreachable without an answer before the deadline, where a
        page of the answer is late, and where the answer cannot be parsed.
        """
        try:
            made = _json(self._client.post(f"{self._path}/statements", json={"statement": sql}))
            operation = f"{self._path}/operations/{made['operationHandle']}"
            try:
                return self._answer(operation, deadline, progress)
            except (EngineUnreachable, httpx.HTTPError, ValueError):
                # The session may live on, and this statement would go on holding the slot that the next one needs.
                _tidied(self._client, "POST", f"{operation}/cancel")
                raise
        except (httpx.HTTPError, ValueError) as error:
            raise _no_answer(self._client, error) from error

    def _answer(self, operation: str, deadline: Deadline, progress: Progress) -> Answer:
        started = deadline.elapsed
        columns: tuple[Column, ...] = ()
        rows: list[list[Any]] = []
        following: str | None = f"{operation}/result/0?rowFormat=JSON"
        while following is not None:
            if deadline.expired:
                raise EngineUnreachable(
                    f"no end of the statement within {deadline.seconds:.0f} s; it was cancelled",
                    where="flink",
                    next_action="lakeproof ps",
                )
            page = _json(self._client.get(following))
            if page.get("resultType") == "NOT_READY":
                progress("flink: running")
                deadline.pause(_PAUSE_SECONDS)
                continue
            result = page.get("results") or {}
            if not columns:
                columns = tuple(_column(column) for column in result.get("columns", ()))
            rows.extend(_typed(row["fields"], columns) for row in result.get("data", ()))
            progress(f"flink: {len(rows)} rows")
            following = page.get("nextResultUri")
        return Answer(ENGINE, columns, tuple(rows), deadline.elapsed - started)


@contextmanager
def flink_session(
    stack: Stack, properties: dict[str, str], *, must_be_closed: bool = False, page_seconds: float = _PAGE_SECONDS
) -> Iterator[PinnedFlink]:
    """A session of the gateway, which has to run; closed afterwards.

    page_seconds: how long one page of an answer may take.
    must_be_closed: raise EngineUnreachable where the gateway does not say that it closed the session. Otherwise that
    is ignored, so that an answer that was given already counts: the gateway forgets a session that is not used any
    more.
    Raises: EngineUnreachable, StatementFailed.
    """
    url = stack.url(_GATEWAY)
    with httpx.Client(base_url=url, timeout=page_seconds, trust_env=False) as client:
        try:
            session = _json(client.post("/v1/sessions", json={"properties": properties}))["sessionHandle"]
        except httpx.HTTPError as error:
            raise _no_answer(client, error) from error
        try:
            yield PinnedFlink(client, session)
        finally:
            left_open = _tidied(client, "DELETE", f"/v1/sessions/{session}")
        if left_open is not None and must_be_closed:
            raise _no_answer(client, left_open) from left_open


def _tidied(client: httpx.Client, method: str, path: str) -> httpx.HTTPError | None:
    """Ask for something to be tidied up, which is no reason to fail. Gives why it was not."""
    try:
        client.request(method, path, timeout=_TIDY_SECONDS).raise_for_status()
    except httpx.HTTPError as error:
        return error
    return None


def _no_answer(client: httpx.Client, error: Exception) -> EngineUnreachable:
    url = str(client.base_url).rstrip("/")
    what = f"no answer ({type(error).__name__})"
    if isinstance(error, httpx.HTTPStatusError):
        what = f"answered {error.response.status_code} to {error.request.method} {error.request.url.path}"
    return EngineUnreachable(what, where=f"flink at {url}", next_action=f"lakeproof up {_GATEWAY}")


def _column(described: dict[str, Any]) -> Column:
    """Name and type; a decimal with its precision and scale."""
    logical = described["logicalType"]
    kind = str(logical["type"])
    if kind == "DECIMAL":
        kind = f"DECIMAL({logical['precision']}, {logical['scale']})"
    return Column(described["name"], kind)


def _typed(fields: list[Any], columns: tuple[Column, ...]) -> list[Any]:
    """Decimals as text at their scale (the gateway writes 1.2 and 7.2E+18), floating ones as numbers."""
    return [_value(value, column.type) for value, column in zip(fields, columns, strict=True)]


def _value(value: Any, kind: str) -> Any:
    if value is not None and kind.startswith("DECIMAL"):
        scale = int(kind.rstrip(")").rpartition(",")[2])
        return f"{Decimal(value):.{scale}f}"
    return float(value) if isinstance(value, str) and kind in ("DOUBLE", "FLOAT") else value


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        body: dict[str, Any] = json.loads(response.text, parse_float=str)
    except ValueError as error:
        raise EngineUnreachable(f"answered {response.status_code} without JSON", where="flink") from error
    if "errors" in body:
        raise StatementFailed(_cause("\n".join(str(part) for part in body["errors"])), where="flink")
    return body


def _cause(trace: str) -> str:
    """The deepest cause of a Java stack trace, without its class's package."""
    causes = re.findall(r"^Caused by: (?:[\w$]+\.)*([\w$]+): (.+)", trace, re.MULTILINE)
    if causes:
        kind, message = causes[-1]
        return one_line(f"{kind}: {message}")
    return one_line(trace)


@contextmanager
def pinned_flink(
    stack: Stack, commit: PublishedCommit, deadline: Deadline, progress: Progress = lambda text: None
) -> Iterator[PinnedFlink]:
    """Flink at that hash: a session with one view per published table, closed afterwards.

    Raises: EngineUnreachable, StatementFailed.
    """
    start_gateway(stack, progress, taskmanager_seconds=min(_TASKMANAGER_SECONDS, deadline.left))
    with flink_session(stack, BATCH) as flink:
        for statement in pin_statements(commit):
            flink.run(statement, deadline)
        yield flink


def pin_statements(commit: PublishedCommit) -> Iterator[str]:
    """What makes `oltp.orders` and `lake.oltp.orders` of a session mean the published snapshot."""
    yield f"CREATE CATALOG {_STORE} WITH ('type' = 'paimon', 'warehouse' = '{WAREHOUSE}')"
    yield f"CREATE CATALOG {CATALOG} WITH ('type' = 'generic_in_memory', 'default-database' = '{SCHEMA}')"
    yield f"USE CATALOG {CATALOG}"
    for database in NAMES:
        tables = commit.tables_of(database)
        if tables and database != SCHEMA:
            yield f"CREATE DATABASE `{database}`"
        for table, snapshot in tables.items():
            yield (
                f"CREATE TEMPORARY VIEW `{database}`.`{table}` AS SELECT * FROM {_STORE}.`{database}`.`{table}` "
                f"/*+ OPTIONS('scan.snapshot-id' = '{snapshot}') */"
            )
