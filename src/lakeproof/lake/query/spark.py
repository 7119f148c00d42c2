"""Spark through our own server: one statement per request, all its tables at one published hash of Nessie.

The server opens a session on the hash itself (Iceberg's Nessie catalog takes one), so nothing has to be made before
and dropped afterwards; closing the connection cancels the statement. The first who asks starts the server; it stays
until `down`.
"""

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from lakeproof.deadline import Deadline
from lakeproof.errors import LakeproofError, MissingArtifact, NotReady
from lakeproof.install import artifacts
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.query.answer import Answer, Column, EngineUnreachable, StatementFailed, one_line
from lakeproof.lake.query.statement import with_texts
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.events import Event
from lakeproof.processes.parts import parts_of
from lakeproof.stack.engines.spark import NAME, TOKEN, ready
from lakeproof.stack.stack import Stack

ENGINE = "spark"
_SILENCE_SECONDS = 10.0
_LOOK_SECONDS = 3.0
_CONNECT_SECONDS = 0.3
START_SECONDS = 130.0  # more than the supervisor gives its first start

type Progress = Callable[[str], None]


def is_up(stack: Stack) -> bool:
    """Whether Spark is part of this stack and takes connections; a Spark that hangs takes them, and counts as up.

    Whatever else listens on its port in a stack that never wanted Spark is not ours.
    Raises: CouldNotLook where nobody could tell whether it is part of the stack.
    """
    return (NAME in stack.settings.endpoints or NAME in parts_of(stack).known()) and _accepts(stack)


def _accepts(stack: Stack) -> bool:
    try:
        with socket.create_connection(stack.host_port(NAME, "http"), timeout=_CONNECT_SECONDS):
            return True
    except OSError:
        return False


def start_spark(stack: Stack, progress: Progress = lambda text: None, *, seconds: float = START_SECONDS) -> None:
    """Have Spark running within `seconds`; it stays until `down`.

    Raises: EngineUnreachable where it is not installed, does not become healthy, or where an external stack's does
    not answer.
    """
    try:
        ready(stack, _LOOK_SECONDS)
        return
    except NotReady as silent:
        if stack.settings.mode == "external" or is_up(stack):
            raise EngineUnreachable(silent.what, where=ENGINE, next_action="lakeproof ps") from silent
    deadline = Deadline(seconds)

    def told(event: Event) -> None:
        progress("spark: starting")
        if deadline.expired:
            raise EngineUnreachable(f"not there within {seconds:.0f} s", where=ENGINE, next_action="ask once more")

    try:
        artifacts.path(NAME)
        SupervisorClient(stack).start(NAME, told)
    except MissingArtifact as missing:
        raise EngineUnreachable("it is not installed", where=ENGINE, next_action=missing.next_action) from missing
    except LakeproofError as failed:
        raise EngineUnreachable(failed.what, where=ENGINE, next_action=failed.next_action) from failed


class SparkClient:
    """Statements that all see the lake at one published hash; without a hash they see no lake.

    Thread-safe; the server runs four statements at once, on the cores that Spark has.
    """

    def __init__(self, client: httpx.Client, nessie_hash: str | None) -> None:
        self._client, self._hash = client, nessie_hash

    def run(self, sql: str, deadline: Deadline, *, progress: Progress = lambda text: None) -> Answer:
        """The whole answer to one statement.

        Raises: StatementFailed with Spark's message; EngineUnreachable without an answer before the deadline, where a
        line of the answer is late, and where the answer cannot be parsed.
        """
        try:
            return self._answer(sql, deadline, progress)
        except (httpx.HTTPError, ValueError) as error:
            raise EngineUnreachable(
                f"no answer ({type(error).__name__})",
                where=f"spark at {str(self._client.base_url).rstrip('/')}",
                next_action="lakeproof ps",
            ) from error

    def _answer(self, sql: str, deadline: Deadline, progress: Progress) -> Answer:
        started = deadline.elapsed
        columns: tuple[Column, ...] = ()
        rows: list[list[Any]] = []
        for line in self._lines(with_texts(sql, _text), deadline):
            if "failed" in line:
                raise StatementFailed(one_line(str(line["failed"])), where=ENGINE)
            if "columns" in line:
                columns = tuple(Column(each["name"], each["type"]) for each in line["columns"])
            rows.extend(line.get("rows", ()))
            if line.get("end"):
                return Answer(ENGINE, columns, tuple(rows), deadline.elapsed - started)
            running = f"{line['running']} tasks running, " if "running" in line else ""
            progress(f"spark: {running}{len(rows)} rows")
        raise EngineUnreachable("its answer ended in the middle", where=ENGINE, next_action="lakeproof ps")

    def _lines(self, sql: str, deadline: Deadline) -> Iterator[Mapping[str, Any]]:
        """Line by line, as they come: at least every half second, so that the deadline is looked at."""
        asked = {"sql": sql, "hash": self._hash}
        silence = min(_SILENCE_SECONDS, max(1.0, deadline.left))
        with self._client.stream("POST", "/v1/statements", json=asked, timeout=silence) as answer:
            if answer.status_code != 200:
                told = answer.read().decode(errors="replace")[:200]
                raise EngineUnreachable(f"answered {answer.status_code}: {told}", where=ENGINE)
            for line in answer.iter_lines():
                if deadline.expired:
                    raise EngineUnreachable(
                        f"no end of the statement within {deadline.seconds:.0f} s; it was cancelled",
                        where=ENGINE,
                        next_action="lakeproof ps",
                    )
                piece: Mapping[str, Any] = json.loads(line)
                yield piece


def _text(text: str) -> str:
    """A text as Spark's literal: for Spark a backslash begins an escape, and two quotes are none."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@contextmanager
def pinned_spark(
    stack: Stack, commit: PublishedCommit | None, deadline: Deadline, progress: Progress = lambda text: None
) -> Iterator[SparkClient]:
    """Spark at that hash. Raises: EngineUnreachable, StatementFailed."""
    start_spark(stack, progress, seconds=min(START_SECONDS, deadline.left))
    url = stack.url(NAME)
    headers = {"Authorization": f"Bearer {stack.secret(TOKEN)}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
        yield SparkClient(client, commit.hash if commit else None)
