"""Trino's statement API: one statement, page by page, until its end, a deadline or Ctrl-C (then it is cancelled).

Its own client library waits without telling anything; here every page is progress, and values stay as Trino writes
them (decimals and times as text), which is what digests and rows are compared by.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from lakeproof.deadline import Deadline
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.query.answer import Answer, Column, EngineUnreachable, NotBegun, StatementFailed, one_line
from lakeproof.lake.query.pin import pinned_catalog
from lakeproof.lake.query.statement import in_catalog
from lakeproof.lake.sources.source import NAMES
from lakeproof.stack import loopback
from lakeproof.stack.engines.trino import CATALOG, SCHEMA
from lakeproof.stack.stack import Stack

ENGINE = "trino"
USER = "lakeproof"
# The source that Trino shows for statements of the audit and the checks, and for a person's `lakeproof query`.
OWN_SOURCE, PERSONS_SOURCE = "lakeproof", "lakeproof-query"
_SCHEMAS = frozenset({*NAMES, "information_schema"})
_PAGE_SECONDS = 10.0
_CATALOG_SECONDS = 10.0

type Progress = Callable[[str], None]


def run(
    stack: Stack,
    sql: str,
    deadline: Deadline,
    *,
    catalog: str = CATALOG,
    user: str = USER,
    source: str = OWN_SOURCE,
    session: str = "",
    progress: Progress = lambda text: None,
) -> Answer:
    """The whole answer to one statement in `catalog`. source: what Trino's list of queries shows as its source.
    session: its session properties, NAME=VALUE.

    Raises: StatementFailed with Trino's message; EngineUnreachable without an answer before the deadline, NotBegun
    where Trino did not take the statement.
    """
    headers = {
        "X-Trino-User": user,
        "X-Trino-Source": source,
        "X-Trino-Catalog": catalog,
        "X-Trino-Schema": SCHEMA,
        "X-Trino-Time-Zone": "UTC",
        # Without it Trino cuts times to milliseconds, for old clients.
        "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME",
        **({"X-Trino-Session": session} if session else {}),
    }
    started = deadline.elapsed
    columns: tuple[Column, ...] = ()
    rows: list[list[Any]] = []
    url = f"{stack.url('trino')}/v1/statement"
    verify = loopback.is_secure(url)
    with httpx.Client(headers=headers, timeout=_PAGE_SECONDS, verify=verify, trust_env=False) as client:
        for page in _pages(client, url, sql, deadline):
            if not columns and "columns" in page:
                columns = tuple(Column(column["name"], column["type"]) for column in page["columns"])
            rows.extend(page.get("data", ()))
            progress(_told(page.get("stats", {})))
    return Answer(ENGINE, columns, tuple(rows), deadline.elapsed - started)


def at_snapshot(schema: str, table: str, snapshot: int) -> str:
    """That table as of one of its snapshots, for FROM."""
    return f"{schema}.{table} FOR VERSION AS OF BIGINT '{snapshot}'"


def _pages(client: httpx.Client, url: str, sql: str, deadline: Deadline) -> Iterator[Mapping[str, Any]]:
    following: str | None = None
    try:
        page = _checked(client.post(url, content=sql.encode()))
        while True:
            following = page.get("nextUri")
            yield page
            if following is None:
                return
            if deadline.expired:
                raise EngineUnreachable(
                    f"no end of the statement within {deadline.seconds:.0f} s; it was cancelled",
                    where="trino",
                    next_action="lakeproof ps",
                )
            page = _checked(client.get(following))
    except (httpx.HTTPError, ValueError) as error:
        # Trino begins a statement when its second page is asked for.
        kind = NotBegun if following is None else EngineUnreachable
        raise kind(
            f"no answer ({type(error).__name__})", where=f"trino at {url}", next_action="lakeproof up trino"
        ) from error
    finally:
        # Left early (deadline, Ctrl-C, an error): do not leave the statement running.
        if following is not None:
            _cancel(client, following)


def _cancel(client: httpx.Client, uri: str) -> None:
    try:
        client.delete(uri, timeout=2.0)
    except httpx.HTTPError:
        return  # it is gone or silent; Trino abandons a statement that nobody reads


def _checked(response: httpx.Response) -> Mapping[str, Any]:
    page: Mapping[str, Any] = response.raise_for_status().json()
    if "error" in page:
        error = page["error"]
        told = one_line(f"{error.get('errorName', 'ERROR')}: {error.get('message', 'no message')}")
        if error.get("errorName") == "SERVER_STARTING_UP":
            raise NotBegun(told, where="trino", next_action="lakeproof ps")
        raise StatementFailed(told, where="trino")
    return page


def _told(stats: Mapping[str, Any]) -> str:
    state = str(stats.get("state", "")).lower()
    return f"trino: {state}, {stats.get('processedRows', 0)} rows read"


class PinnedTrino:
    """Statements that all see the lake at one published hash."""

    def __init__(self, stack: Stack, catalog: str, source: str) -> None:
        self._stack, self._catalog, self._source = stack, catalog, source

    def run(self, sql: str, deadline: Deadline, *, progress: Progress = lambda text: None) -> Answer:
        """As `run`; `lake.oltp.…` in the statement means the pinned state as well."""
        pinned = in_catalog(sql, CATALOG, _SCHEMAS, self._catalog)
        return run(self._stack, pinned, deadline, catalog=self._catalog, source=self._source, progress=progress)


@contextmanager
def pinned_trino(
    stack: Stack, commit: PublishedCommit, deadline: Deadline, source: str = OWN_SOURCE
) -> Iterator[PinnedTrino]:
    """Trino at that hash. Its tag and its catalog are dropped afterwards, also when the deadline is over by then.

    source: as `run` takes it.
    """

    def manage(sql: str) -> Answer:
        return run(stack, sql, Deadline(max(_CATALOG_SECONDS, deadline.left)), catalog="system")

    with pinned_catalog(stack, commit, manage) as catalog:
        yield PinnedTrino(stack, catalog, source)
