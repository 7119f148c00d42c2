"""The desk from outside: what the command line, a drill or a probe asks it over HTTP."""

from typing import Any

import httpx

from lakeproof.errors import CouldNotLook, InvalidInput, TerminalError
from lakeproof.stack.stack import Stack

TIMEOUT_SECONDS = 15.0


class DeskClient:
    """One stack's desk. Every method gives the desk's JSON.

    Raises: CouldNotLook where it does not answer, InvalidInput for what it refuses, TerminalError where it could not
    write.
    """

    def __init__(self, stack: Stack, *, timeout: float = TIMEOUT_SECONDS) -> None:
        self.url = stack.url("desk")
        self._stack = stack
        self._timeout = timeout

    def incidents(self, status: str | None = None) -> list[dict[str, Any]]:
        """Newest first."""
        query = f"?status={status}" if status else ""
        return list(self._ask("GET", f"/api/incidents{query}").json())

    def incident(self, name: str) -> dict[str, Any]:
        """One, with all that belongs to it."""
        return dict(self._ask("GET", f"/api/incidents/{name}").json())

    def open(self, **fields: Any) -> dict[str, Any]:
        """Open one by hand: title, who, severity, service, team, scenario, metric, value."""
        return dict(self._ask("POST", "/api/incidents", fields).json())

    def change(self, name: str, act: str, **fields: Any) -> dict[str, Any]:
        """ack, mitigate, resolve, review (who, text), note (who, text, kind, readings), evidence (+ title, body)."""
        return dict(self._ask("POST", f"/api/incidents/{name}/{act}", fields).json())

    def write_rca(self, name: str, **fields: Any) -> str:
        """Draft and keep the RCA (who, root_cause), or keep `markdown`. Gives the text."""
        return str(self._ask("POST", f"/api/incidents/{name}/rca", fields).json()["markdown"])

    def rca(self, name: str) -> str:
        """The kept RCA, or a draft of now."""
        return self._ask("GET", f"/api/incidents/{name}/rca").text

    def _ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {} if method == "GET" else {"Authorization": f"Bearer {self._stack.secret('desk-token')}"}
        try:
            answer = httpx.request(
                method, self.url + path, json=body, headers=headers, timeout=self._timeout, trust_env=False
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise CouldNotLook(
                f"the desk does not answer ({type(error).__name__})", where=self.url, next_action="lakeproof up desk"
            ) from error
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
