"""The queries that Trino knows of, by its REST API: who asked, in which resource group, and how they end."""

from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from lakeproof.errors import CouldNotLook, TerminalError
from lakeproof.stack.engines.trino import NAME
from lakeproof.stack.stack import Stack

SECONDS = 10.0
REASON = "killed by lakeproof: it kept its resource group full"
QUEUED = frozenset({"QUEUED", "WAITING_FOR_RESOURCES"})
ENDED = frozenset({"FINISHED", "FAILED"})
# In the group of the platform's own users, who never wait for others (stack/engines/trino.py).
ASKING = {"X-Trino-User": "lakeproof-diagnosis"}


@dataclass(frozen=True)
class Query:
    """One query that Trino runs, keeps waiting, or still remembers.

    error: how it failed, "" where it did not.
    waits: it is queued, and its group has no place for it. QUEUED alone does not say so: every query is in that
    state until it is handed out, which takes seconds where the processors are busy.
    """

    id: str
    user: str
    source: str
    group: str
    state: str
    made_at: datetime
    error: str = ""
    waits: bool = False

    @property
    def lives(self) -> bool:
        """True where it has not ended."""
        return self.state not in ENDED


def queries(stack: Stack, timeout: float = 3.0) -> list[Query]:
    """All that Trino knows of now; of those that ended the newest fifty or so. Raises: CouldNotLook."""
    url = f"{stack.url(NAME)}/v1/query"
    try:
        with httpx.Client(timeout=timeout, headers=ASKING, trust_env=False) as client:
            told = client.get(url).raise_for_status().json()
            queued = {_group(one) for one in told if one["state"] in QUEUED}
            full = _full(client, stack, queued)
    except (httpx.HTTPError, ValueError) as error:
        raise CouldNotLook(f"no answer: {type(error).__name__}", where=url, next_action="is Trino up?") from error
    return [_query(one, full) for one in told]


def _group(told: dict[str, Any]) -> tuple[str, ...]:
    """The names of its resource group, the outermost first; () where it is not in one yet."""
    return tuple(told.get("resourceGroupId") or ())


def _full(client: httpx.Client, stack: Stack, groups: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Those that let no further query run now, or lie in one that does not. A group that is gone is not full.

    A group is asked with all that lie in it. So the innermost, which may bear a user's name, is in no address: Trino
    takes no slash there.
    """
    states: dict[tuple[str, ...], str] = {}
    for above in {group[: max(depth, 1)] for group in groups for depth in range(len(group))}:
        path = "/".join(quote(name, safe="") for name in above)
        answer = client.get(f"{stack.url(NAME)}/v1/resourceGroupState/{path}")
        if answer.status_code != HTTPStatus.NOT_FOUND:
            told = answer.raise_for_status().json()
            states |= {tuple(one["id"]): one["state"] for one in (told, *told["subGroups"])}
    full = {group for group, state in states.items() if state != "CAN_RUN"}
    return {group for group in groups if any(group[:depth] in full for depth in range(1, len(group) + 1))}


def _query(told: dict[str, Any], full: Container[tuple[str, ...]] = ()) -> Query:
    session = told["session"]
    return Query(
        id=told["queryId"],
        user=session["user"],
        source=session.get("source") or "",
        group=".".join(_group(told)),
        state=told["state"],
        made_at=datetime.fromisoformat(told["queryStats"]["createTime"]).astimezone(UTC),
        error=(told.get("errorCode") or {}).get("name", "") if told["state"] == "FAILED" else "",
        waits=told["state"] in QUEUED and _group(told) in full,
    )


def busiest(found: Iterable[Query]) -> str | None:
    """The user whose queries wait the most; None where none waits."""
    waiting = Counter(one.user for one in found if one.waits)
    return max(sorted(waiting), key=lambda user: waiting[user]) if waiting else None


def kill(stack: Stack, found: list[Query]) -> None:
    """Those that wait go first: else they would take the places of those that ran. Raises: TerminalError."""
    try:
        with httpx.Client(timeout=SECONDS, headers=ASKING, trust_env=False) as client:
            for one in sorted(found, key=lambda query: query.state not in QUEUED):
                answer = client.put(f"{stack.url(NAME)}/v1/query/{one.id}/killed", content=REASON)
                # It has ended meanwhile (409), or Trino has forgotten it (404, 410).
                if answer.status_code not in (404, 409, 410):
                    answer.raise_for_status()
    except httpx.HTTPError as error:
        raise TerminalError(
            f"not killed: {type(error).__name__} {error}", where=NAME, next_action="is it up?"
        ) from error
