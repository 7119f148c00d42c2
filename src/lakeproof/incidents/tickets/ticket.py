"""A ticket as every ITSM gets it, what an ITSM has to be able to do, and how it says that it could not."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import httpx

type TicketState = Literal["open", "in_progress", "done"]

# An ITSM's wish for a longer pause than a day is taken for a mistake: tickets would stay behind for good.
LONGEST_RETRY_SECONDS = 86_400.0
LONGEST_TITLE = 255  # Jira's bound for a summary; GitHub's is 256


@dataclass(frozen=True)
class TicketText:
    """What a ticket says.

    marker: finds this incident's ticket again among all others. At most 50 letters, digits and hyphens (GitHub's
    limit for a label).
    version: grows with each change of the incident.
    facts: label and text.
    lines: the newest lines of the timeline.
    page: the incident's page in the desk.
    """

    marker: str
    version: int
    title: str
    state: TicketState
    severity: str
    facts: tuple[tuple[str, str], ...]
    lines: tuple[str, ...]
    page: str


@dataclass(frozen=True)
class Made:
    """A ticket in the ITSM: its key there, and its page for people ("" where there is none)."""

    key: str
    url: str


class ItsmFailed(Exception):
    """The ITSM did not do what it was asked for.

    sure: True where it certainly made nothing, so that it may be asked again without looking for a ticket first.
    retry_seconds: how long it wants to be left alone; None where it did not say.
    """

    def __init__(self, message: str, *, sure: bool, retry_seconds: float | None = None) -> None:
        super().__init__(message)
        self.message, self.sure, self.retry_seconds = message, sure, retry_seconds


class Itsm(Protocol):
    """One ITSM. Every call may raise ItsmFailed.

    settle_seconds: for this long after it was made, a ticket may be missing from what `find` looks through.
    """

    settle_seconds: float

    def find(self, marker: str) -> Made | None:
        """The ticket with that marker; None where there is none."""

    def create(self, ticket: TicketText) -> Made:
        """Make a ticket."""

    def update(self, key: str, ticket: TicketText) -> None:
        """Make the ticket say this, and bring it into this state. Doing it twice is as good as once."""


def ask(client: httpx.Client, method: str, path: str, **more: Any) -> Any:
    """One call; gives the answer's JSON, None where it has none. Raises: ItsmFailed."""
    try:
        answer = client.request(method, path, **more)
    except httpx.ConnectError as error:
        raise ItsmFailed(f"no connection: {error}", sure=True) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ItsmFailed(f"{type(error).__name__}: {error}", sure=False) from error
    if answer.is_success:
        try:
            return answer.json() if answer.content else None
        except ValueError:
            return None
    raise ItsmFailed(
        f"{method} {answer.request.url.path} answered {answer.status_code}: {answer.text[:300]}",
        sure=answer.status_code < 500,
        retry_seconds=_retry_after(answer.headers),
    )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The header's seconds, a day at most; None where it is missing, or is not above zero: a date, NaN, infinity."""
    try:
        seconds = float(headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return min(seconds, LONGEST_RETRY_SECONDS) if math.isfinite(seconds) and seconds > 0 else None
