"""The queries that Trino knows of, by its REST API: who asked, in which resource group, and how they end."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, TerminalError
from lakeproof.stack import loopback
from lakeproof.stack.engines.trino import NAME
from lakeproof.stack.stack import Stack

SECONDS = 10.0
REASON = "killed by lakeproof: it kept its resource group full"
QUEUED = "QUEUED"
# The state of a group that may start a query now: it has a place, memory and processor time left.
CAN_RUN = "CAN_RUN"
ENDED = frozenset({"FINISHED", "FAILED"})
# A user in the group of the platform's own users, who never wait for others (stack/engines/trino.py).
ASKING = {"X-Trino-User": "lakeproof-diagnosis"}

type Group = tuple[str, ...]
"""The names of a resource group, the outermost first."""


@dataclass(frozen=True)
class Query:
    """One query that Trino runs, keeps waiting, or still remembers.

    error: how it failed, "" where it did not.
    waits: it is queued, in a group that keeps queries waiting for a place. QUEUED alone does not say so: a query that
    has its place is in that state too until it begins, which takes seconds where the processors are busy.
    group_full: it waits, and its group may start no further query, for what runs there already has all its places or
    all its memory. Where the group could start one, the query waits for others: the group around its own is full.
    None: Trino does not tell it.
    text: its SQL. memory: what it holds, in Trino's own words.
    """

    id: str
    user: str
    source: str
    group: str
    state: str
    made_at: datetime
    error: str = ""
    waits: bool = False
    group_full: bool | None = False
    text: str = ""
    memory: str = ""

    @property
    def lives(self) -> bool:
        """True where it has not ended."""
        return self.state not in ENDED


def queries(stack: Stack, timeout: float = 3.0) -> list[Query]:
    """All queries that Trino knows of now; of the ended ones the newest fifty or so. `timeout`: seconds in all.

    Raises: CouldNotLook.
    """
    url, deadline = stack.url(NAME), Deadline(timeout)

    def ask(path: str) -> httpx.Response:
        return client.get(f"{url}{path}", timeout=max(0.1, deadline.left))

    try:
        with httpx.Client(headers=ASKING, verify=loopback.is_secure(url), trust_env=False) as client:
            told = ask("/v1/query").raise_for_status().json()
            keeping = _keeping(ask, {_group(one) for one in told if one["state"] == QUEUED})
    except (httpx.HTTPError, ValueError) as error:
        where = f"{url}/v1/query"
        raise CouldNotLook(f"no answer: {type(error).__name__}", where=where, next_action="is Trino up?") from error
    return [_query(one, keeping) for one in told]


def _group(told: dict[str, Any]) -> Group:
    """The names of its resource group; () where it is not in one yet."""
    return tuple(told.get("resourceGroupId") or ())


def _keeping(ask: Callable[[str], httpx.Response], groups: set[Group]) -> dict[Group, bool | None]:
    """Group → whether the group itself is full, by its own state; for those of the groups that keep queries waiting,
    by their own count of waiting queries. A group that is gone keeps none.

    A group is asked for through the group that it lies in: its own name may be a user's, and Trino takes no slash in
    an address. Where Trino does not let everybody ask this, every group is taken to keep its queued queries waiting,
    and None stands for whether it is full.
    """
    found: dict[Group, bool | None] = {}
    for outer in {group[:-1] or group for group in groups if group}:
        answer = ask("/v1/resourceGroupState/" + "/".join(quote(name, safe="") for name in outer))
        if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return dict.fromkeys(groups)
        if answer.status_code != HTTPStatus.NOT_FOUND:
            told = answer.raise_for_status().json()
            for one in (told, *told["subGroups"]):
                if one["numQueuedQueries"] and tuple(one["id"]) in groups:
                    found[tuple(one["id"])] = one["state"] != CAN_RUN
    return found


def _query(told: dict[str, Any], keeping: Mapping[Group, bool | None]) -> Query:
    """keeping: as `_keeping` gives it."""
    session, group, queued = told["session"], _group(told), told["state"] == QUEUED
    return Query(
        id=told["queryId"],
        user=session["user"],
        source=session.get("source") or "",
        group=".".join(group),
        state=told["state"],
        made_at=datetime.fromisoformat(told["queryStats"]["createTime"]).astimezone(UTC),
        error=(told.get("errorCode") or {}).get("name", "") if told["state"] == "FAILED" else "",
        waits=queued and group in keeping,
        group_full=keeping.get(group, False) if queued else False,
        text=" ".join(told.get("query", "").split()),
        memory=told["queryStats"].get("totalMemoryReservation", ""),
    )


def busiest(found: Iterable[Query]) -> str | None:
    """The user with the most queries that wait for other queries of that same user; None where no query does.

    A query does where its group is full and no other user has a query there. A query that waits elsewhere waits for
    other users' queries, and to kill those of its own user would help nobody.
    """
    known = [one for one in found if one.lives]
    users: defaultdict[str, set[str]] = defaultdict(set)
    for one in known:
        users[one.group].add(one.user)
    waiting = Counter(one.user for one in known if one.group_full and len(users[one.group]) == 1)
    return max(sorted(waiting), key=lambda user: waiting[user]) if waiting else None


def kill(stack: Stack, found: list[Query]) -> None:
    """Kill the queries, waiting ones first, or they would take the others' places. Raises: TerminalError."""
    try:
        with httpx.Client(timeout=SECONDS, headers=ASKING, trust_env=False) as client:
            for one in sorted(found, key=lambda query: query.state != QUEUED):
                answer = client.put(f"{stack.url(NAME)}/v1/query/{one.id}/killed", content=REASON)
                # It has ended meanwhile (409), or Trino has forgotten it (404, 410).
                if answer.status_code not in (404, 409, 410):
                    answer.raise_for_status()
    except httpx.HTTPError as error:
        raise TerminalError(
            f"not killed: {type(error).__name__} {error}", where=NAME, next_action="is it up?"
        ) from error
