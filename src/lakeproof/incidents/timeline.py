"""Lines of a timeline: made in one way, whoever writes them."""

from collections.abc import Iterable
from datetime import datetime

from lakeproof.incidents.models import Entry, Incident
from lakeproof.incidents.shapes import ReadingShape


def add_entry(
    incident: Incident,
    at: datetime,
    who: str,
    kind: str,
    what: str,
    readings: Iterable[ReadingShape] = (),
    key: str = "",
) -> None:
    """Write a line. Its order is that of writing, so a clock set back does not reorder a timeline."""
    kept = [one.model_dump(mode="json") for one in readings]
    incident.entries.append(Entry(at=at, who=who, kind=kind, what=what, readings=kept, key=key or None))
