"""GitHub Issues, by GitHub's REST API: an issue for each incident, closed when the incident is resolved."""

import re
from typing import Any

import httpx

from lakeproof.incidents.tickets.ticket import LONGEST_TITLE, ItsmFailed, Made, TicketText, ask

DEFAULT_URL = "https://api.github.com"
HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


class GitHub:
    """A repository, as OWNER/NAME."""

    settle_seconds = 5.0

    def __init__(self, client: httpx.Client, url: str, repository: str) -> None:
        self._client = client
        self._issues = f"{(url or DEFAULT_URL).rstrip('/')}/repos/{repository}/issues"

    def find(self, marker: str) -> Made | None:
        """Search for the marker among the labels of open and closed issues."""
        params = {"labels": marker, "state": "all", "direction": "asc", "per_page": "1"}
        found = ask(self._client, "GET", self._issues, params=params, headers=HEADERS)
        if not isinstance(found, list):  # e.g. a proxy's login page: whether there is a ticket is not known
            raise ItsmFailed(f"an answer to a search that is no list: {found!r:.200}", sure=False)
        return _made(found[0]) if found else None

    def create(self, ticket: TicketText) -> Made:
        """An open issue; GitHub makes labels that it does not know."""
        body = {
            "title": ticket.title[:LONGEST_TITLE],
            "body": _body(ticket),
            "labels": ["incident", f"severity: {ticket.severity}", ticket.marker],
        }
        return _made(ask(self._client, "POST", self._issues, json=body, headers=HEADERS))

    def update(self, key: str, ticket: TicketText) -> None:
        """Title, body and state."""
        done = ticket.state == "done"
        body = {
            "title": ticket.title[:LONGEST_TITLE],
            "body": _body(ticket),
            "state": "closed" if done else "open",
        } | ({"state_reason": "completed"} if done else {})
        _made(ask(self._client, "PATCH", f"{self._issues}/{key}", json=body, headers=HEADERS))


def _body(ticket: TicketText) -> str:
    facts = "\n".join(f"- **{_plain(label)}**: {_plain(value)}" for label, value in ticket.facts)
    lines = "\n".join(f"- {_plain(line)}" for line in ticket.lines)
    return f"{facts}\n\n**Timeline, newest last (UTC)**\n\n{lines}\n\n{ticket.page}\n"


def _plain(text: str) -> str:
    """Somebody's text inside a line of GitHub's Markdown: it mentions nobody, links to no issue, and is no HTML."""
    return re.sub(r"([@#])(?=\w)", "\\1\u200b", re.sub(r"([\\`*_<>|\[\]!])", r"\\\1", " ".join(text.split())))


def _made(issue: Any) -> Made:
    try:
        return Made(str(issue["number"]), str(issue.get("html_url", "")))
    except (TypeError, KeyError, AttributeError) as error:
        raise ItsmFailed(f"an answer without a number: {issue!r:.200}", sure=False) from error
