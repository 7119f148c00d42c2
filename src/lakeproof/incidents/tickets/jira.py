"""Jira Cloud, by its REST API, version 3: an issue for each incident, moved through the project's own workflow."""

from typing import Any

import httpx

from lakeproof.incidents.tickets.ticket import LONGEST_TITLE, ItsmFailed, Made, TicketState, TicketText, ask

# Jira's three categories of statuses, whatever a project calls its own statuses.
CATEGORIES: dict[TicketState, str] = {"open": "new", "in_progress": "indeterminate", "done": "done"}


class Jira:
    """A project. `client` already holds the account's e-mail address and API token (keeping.itsm_of)."""

    # A JQL search may lag behind what was written.
    settle_seconds = 60.0

    def __init__(self, client: httpx.Client, url: str, project: str, issue_type: str) -> None:
        self._client = client
        self._url = url.rstrip("/")
        self._project, self._issue_type = project, issue_type

    def find(self, marker: str) -> Made | None:
        """Search for the marker among the issues' labels."""
        body = {
            "jql": f'project = "{self._project}" AND labels = "{marker}" ORDER BY created ASC',
            "fields": ["status"],
            "maxResults": 1,
        }
        found = ask(self._client, "POST", f"{self._url}/rest/api/3/search/jql", json=body)
        issues = found.get("issues") if isinstance(found, dict) else None
        if not isinstance(issues, list):  # e.g. a proxy's login page: whether there is a ticket is not known
            raise ItsmFailed(f"an answer to a search without issues: {found!r:.200}", sure=False)
        return self._made(issues[0]) if issues else None

    def create(self, ticket: TicketText) -> Made:
        """An issue in the first status of the workflow; `update` moves it on."""
        fields = self._fields(ticket) | {
            "project": {"key": self._project},
            "issuetype": {"name": self._issue_type},
            "labels": ["lakeproof", ticket.marker],
        }
        made = ask(self._client, "POST", f"{self._url}/rest/api/3/issue", json={"fields": fields})
        return self._made(made)

    def update(self, key: str, ticket: TicketText) -> None:
        """Summary and description, then the transition to a status of the wanted category."""
        issue = f"{self._url}/rest/api/3/issue/{key}"
        ask(self._client, "PUT", issue, json={"fields": self._fields(ticket)})
        try:
            self._move(issue, key, ticket.state)
        except (KeyError, TypeError) as error:
            raise ItsmFailed(f"{key}: an answer of another shape: {error!r:.200}", sure=False) from error

    def _move(self, issue: str, key: str, state: TicketState) -> None:
        """Make a transition of the project's workflow into `state`, where it has one.

        Raises: ItsmFailed; KeyError or TypeError for an answer of another shape.
        """
        status = ask(self._client, "GET", issue, params={"fields": "status"})["fields"]["status"]
        wanted = CATEGORIES[state]
        if status["statusCategory"]["key"] == wanted:
            return
        possible = ask(self._client, "GET", f"{issue}/transitions")["transitions"]
        fitting = [one for one in possible if one["to"]["statusCategory"]["key"] == wanted]
        if fitting:
            ask(self._client, "POST", f"{issue}/transitions", json={"transition": {"id": fitting[0]["id"]}})
        elif state == "done":
            raise ItsmFailed(f"{key}: its workflow has no way from {status['name']!r} to a done status", sure=True)

    def _fields(self, ticket: TicketText) -> dict[str, Any]:
        return {"summary": ticket.title[:LONGEST_TITLE], "description": _document(ticket)}

    def _made(self, issue: Any) -> Made:
        try:
            key = str(issue["key"])
        except (TypeError, KeyError) as error:
            raise ItsmFailed(f"an answer without a key: {issue!r:.200}", sure=False) from error
        return Made(key, f"{self._url}/browse/{key}")


def _document(ticket: TicketText) -> dict[str, Any]:
    """Atlassian's document format: the facts as a list, then the timeline as another one."""
    facts = [[_text(f"{label}: ", strong=True), _text(value)] for label, value in ticket.facts]
    lines = [[_text(line)] for line in ticket.lines]
    content = [_list(facts), _paragraph([_text("Timeline, newest last (UTC)", strong=True)]), _list(lines)]
    content.append(_paragraph([_text(ticket.page) | {"marks": [{"type": "link", "attrs": {"href": ticket.page}}]}]))
    return {"type": "doc", "version": 1, "content": content}


def _text(text: str, *, strong: bool = False) -> dict[str, Any]:
    marks = {"marks": [{"type": "strong"}]} if strong else {}
    return {"type": "text", "text": text or "-"} | marks


def _paragraph(content: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "paragraph", "content": content}


def _list(items: list[list[dict[str, Any]]]) -> dict[str, Any]:
    points = [{"type": "listItem", "content": [_paragraph(item)]} for item in items]
    return {"type": "bulletList", "content": points}
