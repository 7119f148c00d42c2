"""The states of an incident and what may follow what."""

from enum import StrEnum

from lakeproof.errors import InvalidInput


class Status(StrEnum):
    """Where an incident stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    MITIGATING = "mitigating"
    RESOLVED = "resolved"
    REVIEWED = "reviewed"


ONGOING = frozenset({Status.OPEN, Status.ACKNOWLEDGED, Status.MITIGATING})
"""Alerts of the same group join an incident in one of these."""

FOLLOWS: dict[Status, frozenset[Status]] = {
    Status.OPEN: frozenset({Status.ACKNOWLEDGED, Status.MITIGATING, Status.RESOLVED}),
    Status.ACKNOWLEDGED: frozenset({Status.MITIGATING, Status.RESOLVED}),
    Status.MITIGATING: frozenset({Status.RESOLVED}),
    Status.RESOLVED: frozenset({Status.REVIEWED}),
    Status.REVIEWED: frozenset(),
}
"""The one transition table. A problem that comes back after "resolved" is a new incident."""


def check_move(before: Status, after: Status, *, where: str) -> None:
    """Raises: InvalidInput for a move that the table does not have. Staying is allowed, and changes nothing."""
    if before != after and after not in FOLLOWS[before]:
        possible = ", ".join(sorted(FOLLOWS[before])) or "nothing: it is closed"
        raise InvalidInput(f"{before} cannot become {after}", where=where, next_action=f"possible: {possible}")
