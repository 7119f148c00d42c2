"""What a run of traffic did, in numbers that show every outage."""

from array import array
from dataclasses import asdict, dataclass, field, fields
from typing import Any

MISMATCHES_KEPT = 20


@dataclass
class Counts:
    """Calls so far. acknowledged + refused + unclear + under way = sent.

    asked: calls that were planned and are due. sent: those of them that were sent; the others had no order to act on,
    or too many calls were under way.
    settled: unclear calls whose outcome became known later. open_calls: unclear calls whose outcome is still unknown.
    bought: purchases at the checkout that were paid; each is one call. cancelled, returned: how many of these their
    buyers cancelled or returned.
    complaints, attachments, opt_outs, opt_ins: acknowledged ones. mismatched: answers unlike what was asked for.
    browsed, unread: reads (of stock, orders, timelines) that were answered or not. They do not count as calls.
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
    """A whole run.

    call_ms: times from sending a call to its answer, first tries only.
    purchase_ms: the same for the call that buys, which runs all steps of the checkout; it is in call_ms too.
    lateness_ms: by how much the sender itself was late with a call that was due.
    refusals: reason → refused calls. declined: reason → purchases that ended unpaid, as the shop acknowledged.
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
    """The counts while they grow, and the reasons and times for the report."""

    refusals: dict[str, int] = field(default_factory=dict)
    declined: dict[str, int] = field(default_factory=dict)
    mismatches: list[str] = field(default_factory=list)
    call_seconds: array[float] = field(default_factory=lambda: array("d"))
    purchase_seconds: array[float] = field(default_factory=lambda: array("d"))
    lateness_seconds: array[float] = field(default_factory=lambda: array("d"))

    def counts(self) -> Counts:
        """A copy of the counts as they are now."""
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
        """Count one answer that is not what was asked for; the words of the first MISMATCHES_KEPT are kept."""
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
