"""What a run of traffic did, in numbers that an outage cannot hide in."""

from array import array
from dataclasses import asdict, dataclass, field, fields
from typing import Any

MISMATCHES_KEPT = 20


@dataclass
class Counts:
    """Calls so far. asked: planned and due. sent: of these, sent (not: no such order, too many under way).

    acknowledged + refused + unclear + under way = sent. settled: unclear ones whose outcome is known since;
    open_calls: unclear ones that are not. bought: purchases at the checkout that were paid; each is one call.
    cancelled, returned: of these, by their buyers. complaints, attachments, opt_outs, opt_ins: acknowledged ones.
    mismatched: answers that are not what was asked for.
    browsed: reads that were answered (stock, orders, timelines), and unread those that were not: they are no calls.
    """

    asked: int = 0
    sent: int = 0
    acknowledged: int = 0
    refused: int = 0
    unclear: int = 0
    settled: int = 0
    open_calls: int = 0
    orders: int = 0
    updates: int = 0
    deletes: int = 0
    mismatched: int = 0
    bought: int = 0
    cancelled: int = 0
    returned: int = 0
    complaints: int = 0
    attachments: int = 0
    opt_outs: int = 0
    opt_ins: int = 0
    browsed: int = 0
    unread: int = 0


@dataclass(frozen=True)
class TrafficReport:
    """A whole run. Times of a call: from sending to the answer, first tries only; of a purchase: the call that buys,
    all steps of the checkout (it is one of the calls too); lateness: of the sender itself, until it came to a call.

    refusals: reason → refused calls. declined: reason → purchases that ended without being paid, as was acknowledged.
    """

    run: str
    seed: int
    rate: float
    seconds: float
    counts: Counts
    acknowledged_per_second: float
    call_ms: dict[str, float]
    purchase_ms: dict[str, float]
    lateness_ms: dict[str, float]
    refusals: dict[str, int]
    declined: dict[str, int]
    mismatches: list[str]
    ledger: str

    def to_json(self) -> dict[str, Any]:
        """Flat enough for scripts: the counts stand at the top."""
        data = asdict(self)
        return {**data.pop("counts"), **data}


@dataclass
class Tally(Counts):
    """Counts while they grow, and what the report is made of beside them."""

    refusals: dict[str, int] = field(default_factory=dict)
    declined: dict[str, int] = field(default_factory=dict)
    mismatches: list[str] = field(default_factory=list)
    call_seconds: array[float] = field(default_factory=lambda: array("d"))
    purchase_seconds: array[float] = field(default_factory=lambda: array("d"))
    lateness_seconds: array[float] = field(default_factory=lambda: array("d"))

    def counts(self) -> Counts:
        """The counts now; they do not grow."""
        return Counts(**{field.name: getattr(self, field.name) for field in fields(Counts)})

    def read(self, answered: bool) -> None:
        """Count one read."""
        if answered:
            self.browsed += 1
        else:
            self.unread += 1

    def refuse(self, reason: str) -> None:
        """Count one refusal under its reason."""
        self.refused += 1
        self.refusals[reason] = self.refusals.get(reason, 0) + 1

    def decline(self, reason: str) -> None:
        """Count one purchase that ended without being paid."""
        self.declined[reason] = self.declined.get(reason, 0) + 1

    def mismatch(self, words: str) -> None:
        """Count one answer that is not what was asked for; the first of them are kept, in words."""
        self.mismatched += 1
        if len(self.mismatches) < MISMATCHES_KEPT:
            self.mismatches.append(words)

    def doubt(self) -> None:
        """Count one call whose outcome is not known; it is open from now on."""
        self.unclear += 1
        self.open_calls += 1

    def settle(self) -> None:
        """Count one open call whose outcome is known now."""
        self.settled += 1
        self.open_calls -= 1

    def report(self, *, run: str, seed: int, rate: float, seconds: float, ledger: str) -> TrafficReport:
        """The report of a run whose sender worked for `seconds`."""
        return TrafficReport(
            run=run,
            seed=seed,
            rate=rate,
            seconds=round(seconds, 3),
            counts=self.counts(),
            acknowledged_per_second=round(self.acknowledged / seconds, 1) if seconds > 0 else 0.0,
            call_ms=percentiles_ms(self.call_seconds),
            purchase_ms=percentiles_ms(self.purchase_seconds),
            lateness_ms=percentiles_ms(self.lateness_seconds),
            refusals=dict(sorted(self.refusals.items(), key=lambda item: -item[1])),
            declined=dict(sorted(self.declined.items(), key=lambda item: -item[1])),
            mismatches=self.mismatches,
            ledger=ledger,
        )


def percentiles_ms(seconds: "array[float] | list[float]") -> dict[str, float]:
    """p50, p95, p99 and the largest, in milliseconds; nearest rank; empty where there is nothing."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    picked = {f"p{p}": ordered[max(0, -(-len(ordered) * p // 100) - 1)] for p in (50, 95, 99)} | {"max": ordered[-1]}
    return {name: round(value * 1000, 2) for name, value in picked.items()}
