"""The outcome of `check`, and its JSON shape, which scripts rely on."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from lakeproof.proof.outcome import Outcome
from lakeproof.proof.tables.findings import Finding, Wrong

KEYS_SHOWN = 20
AGREE = "engines agree on every row"


@dataclass(frozen=True)
class TableReport:
    """One table in one engine. not_ours: rows of orders that the ledger never saw, and does not judge."""

    table: str
    engine: str
    rows: int
    findings: tuple[Finding, ...] = ()
    not_ours: int = 0

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
        }


@dataclass(frozen=True)
class Across:
    """One claim across tables in one engine, or between engines; `keys` name what breaks it.

    judged: how many `subjects` were looked at; None where that is every row, or is not counted. aside: in words, what
    of them it lets pass, and what it left out; "" for nothing.
    """

    claim: str
    violations: int
    keys: tuple[str, ...] = ()
    judged: int | None = None
    subjects: str = ""
    aside: str = ""

    @property
    def judges_nothing(self) -> bool:
        """True where it holds of nothing: nothing was there, or nothing old enough."""
        return self.judged == 0 and not self.violations

    @property
    def in_words(self) -> str:
        """One line for people; a claim that judged nothing says so."""
        aside = f"; {self.aside}" if self.aside else ""
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
        }


@dataclass(frozen=True)
class CheckReport:
    """What was looked at and what was found.

    unknown: reasons why something could not be looked at; with any of them the verdict is never passed.
    oversold: units sold or promised beyond what came in. unclear: calls whose outcome nobody knows, of orders
    and of what customers told beside them.
    steps: seconds at which each step had ended.
    """

    at: datetime
    nessie_hash: str | None
    checkpoint: int | None
    covers_us: int | None
    acknowledged: int
    orders: int
    unclear: int
    refused: int
    tables: tuple[TableReport, ...] = ()
    across: tuple[Across, ...] = ()
    oversold: int | None = None
    unknown: tuple[str, ...] = ()
    seconds: float = 0.0
    steps: dict[str, float] = field(default_factory=dict)

    @property
    def outcome(self) -> Outcome:
        """failed where anything wrong was seen; unknown where something could not be seen; else passed."""
        if any(table.findings for table in self.tables) or self.broken or self.oversold:
            return Outcome.FAILED
        return Outcome.UNKNOWN if self.reasons else Outcome.PASSED

    @property
    def broken(self) -> tuple[Across, ...]:
        """The claims that do not hold."""
        return tuple(claim for claim in self.across if claim.violations)

    def not_read(self, engines: Iterable[str]) -> list[str]:
        """In words, which of these engines gave no table: whatever is said of the data, it is not said of them."""
        read = {table.engine for table in self.tables}
        return [f"{engine}: nothing was read there" for engine in engines if engine not in read]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the whole is unknown: what could not be looked at, and a ledger that had nothing to compare with."""
        if self.orders == 0 and self.not_ours:
            return (*self.unknown, "ledger: it knows no order, so that no row was compared with it")
        return self.unknown

    def total(self, wrong: Wrong, engine: str | None = None) -> int:
        """Rows that are wrong in that way, in the worst engine (or in that one), over all tables."""
        engines = {table.engine for table in self.tables} if engine is None else {engine}
        return max((sum(t.count(wrong) for t in self.tables if t.engine == each) for each in engines), default=0)

    @property
    def not_ours(self) -> int:
        """Orders of somebody else, in the engine that shows the most of them."""
        return max((table.not_ours for table in self.tables if table.table == "orders"), default=0)

    def keys(self) -> tuple[str, ...]:
        """What is wrong, each key once: rows in any engine, then what breaks a claim."""
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
            "unknown": list(self.reasons),
            "findings": [
                {"key": key, "wrong": wrong, "detail": detail, "where": where}
                for (key, wrong, detail), where in details.items()
            ],
            "seconds": round(self.seconds, 2),
            "steps": self.steps,
        }
