"""Claims on rows that have a history: payments, parcels and cases, each beside the events of its changes.

A service of the shop changes such a row, adds an event of the same version, and adds whatever the event reports (a
message, an attachment), all in one statement. Where one of these is visible without another, a transaction is visible
in part.

An event that is there twice breaks a claim as well. While a repair reads all rows anew, which brings each event a
second time, `main` shows nothing of that (lake/capture/reading_anew.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from lakeproof.lake.sources.source import SHOP
from lakeproof.proof.tables.judged_table import MOST, JudgedTable

NEWEST_CHANGE = "every payment, parcel and case is at the version of its newest event, with one event of each version"
TOLD_OF = "every case has the messages and attachments that its events tell of"


@dataclass(frozen=True, slots=True)
class _History:
    """A table whose rows have a version, and the table of its events. `key`: the events' column with the row's id.

    beside: table → the type of event for each of which the table has one row. A message with which a case was opened
    has no event, and is not counted.
    """

    noun: str
    table: str
    events: str
    key: str
    beside: Mapping[str, str]

    @property
    def tables(self) -> tuple[str, ...]:
        return (self.table, self.events, *self.beside)


_BESIDE = {"case_messages": "message_added", "case_attachments": "attachment_added"}
_HISTORIES = (
    _History("payment", "payments", "payment_events", "payment_id", {}),
    _History("parcel", "fulfillments", "fulfillment_events", "fulfillment_id", {}),
    _History("case", "cases", "case_events", "case_id", _BESIDE),
)
# The message with which a case was opened has the case's very time (support/store.py), and no event of its own.
_NOT_THE_FIRST = (
    " WHERE NOT EXISTS (SELECT 1 FROM {cases} AS opened"
    " WHERE opened.id = beside.case_id AND opened.created_at = beside.at)"
)
TABLES: dict[str, JudgedTable] = {}
for _one in _HISTORIES:
    _of_row = ("id", "version", *(["created_at"] if _one.beside else []))
    TABLES[_one.table] = JudgedTable(_one.noun, "id", _of_row)
    TABLES[_one.events] = JudgedTable(_one.noun, _one.key, (_one.key, "version", "type"))
    TABLES |= {table: JudgedTable(_one.noun, _one.key, (_one.key, "at")) for table in _one.beside}


@dataclass(frozen=True)
class BrokenHistory:
    """A claim that one payment, parcel or case breaks. `key`: its id; None: NULL."""

    claim: str
    noun: str
    key: int | None
    detail: str
    database: ClassVar = SHOP.name

    @property
    def subject(self) -> str:
        """What breaks the claim."""
        return f"{self.noun} {'id NULL' if self.key is None else self.key}"


def history_sql(states: Sequence[Mapping[str, str]]) -> str:
    """SQL for the rows that break a claim; PostgreSQL and Trino both take it. "" where there is nothing to judge.

    states: each maps a table to its expression for FROM. A history of which a table is missing there is not judged.
    The first column of the answer is the state's place in `states`; `broken_of` reads the others.
    """
    parts = [
        part
        for place, named in enumerate(states)
        for history in _HISTORIES
        if named.keys() >= set(history.tables)
        for part in _parts(history, place, named)
    ]
    if not parts:
        return ""
    return f"""\
SELECT place, noun, id, SUM(present) AS present, SUM(version) AS version,
 COUNT(DISTINCT event_version) AS events, COUNT(event_version) AS told,
 COALESCE(MAX(event_version), 0) AS newest, SUM(messages) - COUNT(DISTINCT told_message) AS messages,
 SUM(attachments) - COUNT(DISTINCT told_attachment) AS attachments
FROM (
{" UNION ALL ".join(parts)}
) AS parts
GROUP BY place, noun, id
HAVING SUM(present) <> 1 OR COALESCE(MAX(event_version), 0) < 1
 OR SUM(version) <> MAX(event_version) OR COUNT(DISTINCT event_version) <> MAX(event_version)
 OR COUNT(event_version) <> COUNT(DISTINCT event_version)
 OR SUM(messages) <> COUNT(DISTINCT told_message) OR SUM(attachments) <> COUNT(DISTINCT told_attachment)
LIMIT {MOST}"""


def _parts(history: _History, place: int, named: Mapping[str, str]) -> list[str]:
    """What each of a history's tables adds to the sums of a row. An event adds its version, and adds it once more in
    a column of its own where it reports a message or an attachment.
    """
    begin = f"SELECT {place} AS place, '{history.noun}' AS noun"
    told = [
        f"CASE WHEN type = '{event}' THEN version END" if table in history.beside else "CAST(NULL AS INTEGER)"
        for table, event in _BESIDE.items()
    ]
    nothing = "CAST(NULL AS INTEGER), CAST(NULL AS INTEGER), CAST(NULL AS INTEGER)"
    rows = (
        f"{begin}, id AS id, 1 AS present, version AS version, CAST(NULL AS INTEGER) AS event_version,"
        " CAST(NULL AS INTEGER) AS told_message, CAST(NULL AS INTEGER) AS told_attachment, 0 AS messages,"
        f" 0 AS attachments FROM {named[history.table]}"
    )
    events = f"{begin}, {history.key}, 0, 0, version, {', '.join(told)}, 0, 0 FROM {named[history.events]}"
    beside = [
        f"{begin}, {history.key}, 0, 0, {nothing}, {', '.join('1' if one == table else '0' for one in _BESIDE)}"
        f" FROM {named[table]} AS beside"
        + (_NOT_THE_FIRST.format(cases=named[history.table]) if table == "case_messages" else "")
        for table in history.beside
    ]
    return [rows, events, *beside]


def broken_of(rows: Iterable[Sequence[Any]]) -> list[BrokenHistory]:
    """Which claims each row breaks. rows: without the first column, the place. A sum over nothing but NULL is 0."""
    broken = []
    for noun, key, *sums in rows:
        present, version, events, told, newest, messages, attachments = (int(value or 0) for value in sums)
        history_id = None if key is None else int(key)
        if (present, version, events, told) != (1, newest, newest, newest) or newest < 1:
            state = f"version {version}" if present == 1 else f"{present} rows"
            twice = f", {told - events} of them twice" if told > events else ""
            detail = f"{state}, {told} events{twice}, the newest is {newest}"
            broken.append(BrokenHistory(NEWEST_CHANGE, str(noun), history_id, detail))
        if messages or attachments:
            beside = f"{messages:+} messages and {attachments:+} attachments against what its events tell of"
            broken.append(BrokenHistory(TOLD_OF, str(noun), history_id, beside))
    return broken
