"""The outcome of `check`, and its JSON shape, which scripts rely on."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime

from lakeproof.proof.findings import Finding, Wrong
from lakeproof.proof.outcome import Outcome

KEYS_SHOWN = 20
# At most this many of a table's rows may have changed at every look before the whole check is unknown: this share of
# the rows, or this number where it is higher.
UNSETTLED_SHARE, UNSETTLED_ROWS = 0.01, 10
AGREE = "engines agree on every row"


@dataclass(frozen=True)
class TableReport:
    """One table in one engine. not_ours: rows of orders that the ledger does not know, so that they are not judged.

    unsettled: rows that differ and changed between all looks, so that they could not be judged.
    """

    table: str
    engine: str
    rows: int
    findings: tuple[Finding, ...] = ()
    not_ours: int = 0
    unsettled: int = 0

    def count(self, wrong: Wrong) -> int:
        """How many rows are wrong in that way."""
        return sum(1 for finding in self.findings if finding.wrong is wrong)

    def as_json(self) -> dict[str, object]:
        """One entry of `tables`."""
        counts = Counter(finding.wrong for finding in self.findings)
        return {
            "table": self.table,
            "engine": self.engine,
            "rows": self.rows,
            **{wrong.value: counts[wrong] for wrong in Wrong},
            "keys": list(dict.fromkeys(finding.key for finding in self.findings))[:KEYS_SHOWN],
            "unsettled": self.unsettled,
        }


@dataclass(frozen=True)
class ClaimReport:
    """One claim across tables in one engine, between engines, or across services.

    keys: name what breaks the claim.
    judged: how many subjects were judged; None where every row was, or where they were not counted.
    subjects: what the claim is about, in the plural.
    aside: in words, which subjects the claim let pass and which it left out; "" for none.
    unsettled: how many more subjects could not be judged, because they changed at every look.
    """

    claim: str
    keys: tuple[str, ...] = ()
    judged: int | None = None
    subjects: str = ""
    aside: str = ""
    unsettled: int = 0

    @property
    def violations(self) -> int:
        """How many things break the claim."""
        return len(self.keys)

    @property
    def looked_at(self) -> int | None:
        """How many subjects were looked at, those included that could not be judged; None as in `judged`."""
        return None if self.judged is None else self.judged + self.unsettled

    @property
    def judges_nothing(self) -> bool:
        """True where the claim holds over no subject: nothing was there, or nothing old enough."""
        return self.judged == 0 and not self.violations

    @property
    def in_words(self) -> str:
        """One line for people; a claim that judged nothing says so."""
        moving = f"{self.unsettled} more changed at each look" if self.unsettled else ""
        aside = "".join(f"; {words}" for words in (self.aside, moving) if words)
        if self.judges_nothing:
            return f"nothing to judge: {self.claim} (no {self.subjects}{aside})"
        counted = "" if self.judged is None else f" ({self.judged} {self.subjects}{aside})"
        return f"{f'{self.violations} violations' if self.violations else 'ok'}: {self.claim}{counted}"

    def as_json(self) -> dict[str, object]:
        """One entry of `across`; `judged` is null where it was not counted."""
        return {
            "claim": self.claim,
            "violations": self.violations,
            "keys": list(self.keys[:KEYS_SHOWN]),
            "judged": self.judged,
            "aside": self.aside,
            "unsettled": self.unsettled,
        }


@dataclass(frozen=True)
class Cut:
    """The published state that was looked at. Calls acknowledged before its newest heartbeat must be in it; calls
    acknowledged later need not be.

    heartbeat_us: the state's newest heartbeat, by the database's clock; None where it shows none.
    age_seconds: how much older the heartbeat is than the look.
    excused: how many acknowledged calls need not be in the state; all of them where the heartbeat cannot be used.
    other_ages_seconds: the same age for each other database that is captured now, by its own newest heartbeat in the
    hash. It excuses no call.
    """

    nessie_hash: str
    checkpoint: int
    heartbeat_us: int | None
    age_seconds: float | None
    excused: int
    other_ages_seconds: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def in_words(self) -> str:
        """One line for people."""
        others = [f"{name}: {_age(seconds)}" for name, seconds in self.other_ages_seconds.items()]
        age = "; ".join([_age(self.age_seconds), *others])
        place = f"hash {self.nessie_hash[:16]}, checkpoint {self.checkpoint}"
        return f"cut: {place}, {age}; {self.excused} acknowledged calls are not older and need not be in it"


@dataclass(frozen=True)
class CheckReport:
    """What was looked at and what was found.

    acknowledged, refused: calls about orders, by their outcome. orders: orders whose creation was acknowledged.
    unclear: calls whose outcome nobody knows, about orders and about what else customers told the shop.
    oversold: units sold or promised beyond what came in; None where the stack has no stock.
    unknown: reasons why something could not be looked at; with any of them the verdict is never passed.
    left_out: what need not be looked at in this stack, and why.
    steps: seconds from the check's beginning to the end of each step.
    """

    at: datetime
    cut: Cut | None
    acknowledged: int
    orders: int
    unclear: int
    refused: int
    tables: tuple[TableReport, ...] = ()
    across: tuple[ClaimReport, ...] = ()
    oversold: int | None = None
    unknown: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    seconds: float = 0.0
    steps: dict[str, float] = field(default_factory=dict)

    @property
    def outcome(self) -> Outcome:
        """Failed where anything wrong was seen; unknown where something could not be looked at; else passed."""
        if any(table.findings for table in self.tables) or self.broken or self.oversold:
            return Outcome.FAILED
        return Outcome.UNKNOWN if self.reasons else Outcome.PASSED

    @property
    def broken(self) -> tuple[ClaimReport, ...]:
        """The claims that do not hold."""
        return tuple(claim for claim in self.across if claim.violations)

    def not_read(self, engines: Iterable[str]) -> list[str]:
        """In words, which of these engines gave no table: the report says nothing of these."""
        read = {table.engine for table in self.tables}
        return [f"{engine}: nothing was read there" for engine in engines if engine not in read]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the whole check is unknown. An empty ledger compared with empty tables has judged nothing."""
        if self.tables and self.orders == 0 and not any(table.rows for table in self.tables):
            return (*self.not_judged, "nothing judged: the ledger knows no order, and the tables hold no row")
        return self.not_judged

    @property
    def not_judged(self) -> tuple[str, ...]:
        """What could not be looked at, what changed at every look, and rows beside a ledger that knows no order.

        For callers that accept a stack without any order: unlike `reasons`, an empty stack is no reason here.
        """
        counted: list[tuple[str, int, int | None]] = [
            *((f"{one.engine}.{one.table}", one.unsettled, one.rows) for one in self.tables),
            *((one.claim, one.unsettled, one.looked_at) for one in self.across),
        ]
        moving = [
            f"{name}: {unsettled} of {'all' if rows is None else rows} changed at each look: not judged"
            for name, unsettled, rows in counted
            if _moves_too_much(unsettled, rows)
        ]
        if self.orders == 0 and self.not_ours:
            moving.append("ledger: it knows no order, so that no row was compared with it")
        return (*self.unknown, *moving)

    @property
    def nessie_hash(self) -> str | None:
        """The cut's hash; None where the lake was not looked at."""
        return self.cut.nessie_hash if self.cut else None

    @property
    def checkpoint(self) -> int | None:
        """The checkpoint at which the lake was looked at; None where it was not."""
        return self.cut.checkpoint if self.cut else None

    @property
    def covers_us(self) -> int | None:
        """Calls acknowledged before this time (microseconds since 1970) must be in the lake; None: no heartbeat."""
        return self.cut.heartbeat_us if self.cut else None

    def total(self, wrong: Wrong) -> int:
        """How many rows of all tables are wrong in that way, in the engine that shows the most of them."""
        engines = {table.engine for table in self.tables}
        return max((sum(t.count(wrong) for t in self.tables if t.engine == each) for each in engines), default=0)

    @property
    def not_ours(self) -> int:
        """Orders of somebody else, in the engine that shows the most of them."""
        return max((table.not_ours for table in self.tables if table.table == "orders"), default=0)

    def keys(self) -> tuple[str, ...]:
        """The keys of everything wrong, each once: first of rows in any engine, then of broken claims."""
        rows = (finding.key for table in self.tables for finding in table.findings)
        return tuple(dict.fromkeys((*rows, *(key for claim in self.broken for key in claim.keys))))

    def as_json(self) -> dict[str, object]:
        """The shape of `check --json`."""
        details: dict[tuple[str, str, str], list[str]] = {}
        for table in self.tables:
            for finding in table.findings[:KEYS_SHOWN]:
                place = (finding.key, finding.wrong.value, finding.detail)
                details.setdefault(place, []).append(f"{table.engine}.{table.table}")
        return {
            "verdict": self.outcome.value,
            "nessie_hash": self.nessie_hash,
            "at": self.at.isoformat(),
            "acknowledged": self.acknowledged,
            "unclear": self.unclear,
            "tables": [table.as_json() for table in self.tables],
            "across": [claim.as_json() for claim in self.across],
            # None where the stack has no stock to look at: never 0.
            "oversold": self.oversold,
            "refused": self.refused,
            "orders": self.orders,
            "not_ours": self.not_ours,
            "checkpoint": self.checkpoint,
            "covers_us": self.covers_us,
            "cut": asdict(self.cut) if self.cut else None,
            "unknown": list(self.reasons),
            "left_out": list(self.left_out),
            "findings": [
                {"key": key, "wrong": wrong, "detail": detail, "where": where}
                for (key, wrong, detail), where in details.items()
            ],
            "seconds": round(self.seconds, 2),
            "steps": self.steps,
        }


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "no heartbeat"
    return f"newest heartbeat {abs(seconds):.1f} s {'before' if seconds >= 0 else 'after'} the look"


def _moves_too_much(unsettled: int, rows: int | None) -> bool:
    """Whether unsettled rows make the whole check unknown: too many of them, or all that there are."""
    if rows is None:
        return unsettled > UNSETTLED_ROWS
    return unsettled > max(UNSETTLED_ROWS, UNSETTLED_SHARE * rows) or 0 < unsettled >= rows
