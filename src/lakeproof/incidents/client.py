"""The desk from outside: what the command line, a drill or a probe asks it over HTTP."""

import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import httpx

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, InvalidInput, TerminalError
from lakeproof.stack import loopback
from lakeproof.stack.stack import Stack

TIMEOUT_SECONDS = 15.0
# A desk that is restarted answers again after 5 to 30 s.
PATIENCE_SECONDS = 60.0
AGAIN_SECONDS = 2.0
# The desk lists at most this many incidents in one answer.
PAGE = 1000
# Header of a list's answer: how many incidents are older than the last one listed.
OLDER = "X-Older-Incidents"


def new_key() -> str:
    """A key for one call that changes something. The desk keeps calls with the same key once, however often sent."""
    return uuid.uuid4().hex


def until_kept[T](keep: Callable[[], T], tell: Callable[[str], None], patience_seconds: float) -> T:
    """Call `keep` again and again while the desk does not answer or cannot write, and `tell` of each failed try.

    `keep` has to send the same key each time: the desk may have kept the change, and only its answer was lost.
    Raises: the last error of `keep` once `patience_seconds` are over; InvalidInput at once.
    """
    deadline = Deadline(patience_seconds)
    while True:
        try:
            return keep()
        except (CouldNotLook, TerminalError) as error:
            if deadline.expired:
                raise
            tell(f"{error.message}; tried again for {deadline.left:.0f} s")
            deadline.pause(AGAIN_SECONDS)


class DeskClient:
    """One stack's desk. Every method gives the desk's JSON.

    Raises: CouldNotLook where the desk does not answer, InvalidInput where it refuses the call, TerminalError where
    it could not write.
    """

    def __init__(self, stack: Stack) -> None:
        self.url = stack.url("desk")
        self._stack = stack

    def incidents(self, status: str | None = None) -> list[dict[str, Any]]:
        """All incidents, newest first."""
        return self.newest(status)[0]

    def newest(self, status: str | None = None, most: int | None = None) -> tuple[list[dict[str, Any]], int]:
        """Incidents, newest first, at most `most` (None: all), and how many older ones were left out."""
        rows: list[dict[str, Any]] = []
        while True:
            query = {"most": str(PAGE if most is None else min(PAGE, most - len(rows)))}
            query |= {"status": status} if status else {}
            query |= {"before": rows[-1]["id"]} if rows else {}
            answer = self._ask("GET", f"/api/incidents?{urlencode(query)}")
            rows += answer.json()
            older = int(answer.headers.get(OLDER, 0))  # a desk of an older version does not send the header
            if not older or len(rows) == most:
                return rows, older

    def incident(self, name: str) -> dict[str, Any]:
        """One incident, with all that belongs to it."""
        return dict(self._ask("GET", f"/api/incidents/{name}").json())

    def open(self, **fields: Any) -> dict[str, Any]:
        """Open an incident by hand. Fields: title, who, severity, service, team, scenario, metric, value, key."""
        return dict(self._ask("POST", "/api/incidents", fields).json())

    def change(self, name: str, act: str, **fields: Any) -> dict[str, Any]:
        """Change an incident by one act, with the fields `who`, `text` and those of the act: ack, mitigate, verify,
        resolve, review, unmerge, lesson, note (kind, readings), evidence (kind, readings, title, body), own (owner),
        checklist (item, state), merge (into). Changes of status, notes and evidence also take a `key`."""
        return dict(self._ask("POST", f"/api/incidents/{name}/{act}", fields).json())

    def write_rca(self, name: str, **fields: Any) -> str:
        """Draft and keep the RCA (who, root_cause), or keep `markdown`. Gives the text."""
        return str(self._ask("POST", f"/api/incidents/{name}/rca", fields).json()["markdown"])

    def lessons(self, scenario: str = "") -> list[dict[str, Any]]:
        """What was learnt, newest first; of one scenario or of all."""
        return list(self._ask("GET", f"/api/lessons?{urlencode({'scenario': scenario})}").json())

    def history(self) -> dict[str, Any]:
        """When each alert, each scenario's incident and each page's review came last."""
        return dict(self._ask("GET", "/api/runbook/history").json())

    def review_page(self, page: str, **fields: Any) -> dict[str, Any]:
        """Keep that a page of the runbook was reviewed (who, text)."""
        return dict(self._ask("POST", "/api/runbook/reviews", {"page": page, **fields}).json())

    def _ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {} if method == "GET" else {"Authorization": f"Bearer {self._stack.secret('desk-token')}"}
        try:
            answer = loopback.request(method, self.url + path, json=body, headers=headers, timeout=TIMEOUT_SECONDS)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            what, next_action = f"the desk does not answer ({type(error).__name__})", "lakeproof up desk"
            key = body.get("key") if isinstance(body, dict) else None
            if key and not isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL)):
                what += ", and may have kept it"
                next_action = f"the same again with --key {key}: what was kept is not kept twice"
            raise CouldNotLook(what, where=self.url, next_action=next_action) from error
        if answer.is_success:
            return answer
        try:
            said = answer.json()
            what, next_action = str(said["error"]), str(said.get("next", ""))
        except (ValueError, KeyError, TypeError):
            what, next_action = f"answered {answer.status_code}: {answer.text[:200]}", "lakeproof logs desk"
        if answer.status_code >= 500:
            raise TerminalError(what, where="desk", next_action=next_action)
        raise InvalidInput(what, where="desk", next_action=next_action)
