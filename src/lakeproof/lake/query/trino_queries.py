"""The queries that Trino knows of, by its REST API: who asked, in which resource group, and how they end."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

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
    """One query that Trino runs, keeps waiting, or still remembers. error: how it failed, "" where it did not."""

    id: str
    user: str
    source: str
    group: str
    state: str
    made_at: datetime
    error: str = ""

    @property
    def waits(self) -> bool:
        """True where it has no place in its group yet."""
        return self.state in QUEUED

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
    except (httpx.HTTPError, ValueError) as error:
        raise CouldNotLook(f"no answer: {type(error).__name__}", where=url, next_action="is Trino up?") from error
    return [_query(one) for one in told]


def _query(told: dict[str, Any]) -> Query:
    session = told["session"]
    return Query(
        id=told["queryId"],
        user=session["user"],
        source=session.get("source") or "",
        group=".".join(told.get("resourceGroupId") or ()),
        state=told["state"],
        made_at=datetime.fromisoformat(told["queryStats"]["createTime"]).astimezone(UTC),
        error=(told.get("errorCode") or {}).get("name", "") if told["state"] == "FAILED" else "",
    )


def busiest(found: Iterable[Query]) -> str | None:
    """The user whose queries wait the most; None where none waits."""
    waiting = Counter(one.user for one in found if one.waits)
    return max(sorted(waiting), key=lambda user: waiting[user]) if waiting else None


def kill(stack: Stack, found: list[Query]) -> None:
    """Those that wait go first: else they would take the places of those that ran. Raises: TerminalError."""
    try:
        with httpx.Client(timeout=SECONDS, headers=ASKING, trust_env=False) as client:
            for one in sorted(found, key=lambda query: not query.waits):
                answer = client.put(f"{stack.url(NAME)}/v1/query/{one.id}/killed", content=REASON)
                # It has ended meanwhile (409), or Trino has forgotten it (404, 410).
                if answer.status_code not in (404, 409, 410):
                    answer.raise_for_status()
    except httpx.HTTPError as error:
        raise TerminalError(
            f"not killed: {type(error).__name__} {error}", where=NAME, next_action="is it up?"
        ) from error
