"""Checks of the scenario ttl-oversell."""

from collections.abc import Sequence
from datetime import UTC, datetime

from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.probes.cql import select
from lakeproof.probes.prometheus import instant
from lakeproof.proof.report import KEYS_SHOWN
from lakeproof.stack.stack import Stack

ROWS = "SELECT created_at, expires_at, TTL(order_key) FROM inventory.reservations"

# Gives the time at which a TTL below the floor was seen last, in seconds since 1970.
SHORT_UNTIL = "max(max_over_time(timestamp(inventory_reservation_ttl_below_floor > 0)[30m:1s]))"

LOOK_SECONDS = 10.0

# The service looks at the TTL every two seconds, and is scraped every second.
SEEN_SECONDS = 5.0

# Cassandra counts a row's life in whole seconds, from the second of the write and at the second of the read: a row
# that lives for 300 s may be seen as 299.1.
WHOLE_SECOND = 1.0


class ReservationsLive(Check):
    """Reservations that were made since the repair live their time.

    Reservations that were made since the TTL was right again live their time: each stays for the floor at least.

    A reservation can end in two ways: Cassandra deletes its row by the table's TTL, and the service gives the goods
    back at the row's own `expires_at`, whatever the TTL. The earlier end counts. Rows written before the repair keep
    the ends that they were written with, and are not judged.
    """

    def baseline(self, context: CheckContext) -> Baseline:
        """No row made since a short TTL was last seen ends early; there may be no such row yet."""
        return Baseline(_judge(context.stack, wanted=0))

    def verify(self, context: CheckContext, before: Baseline) -> Verdict:
        """At least one row was made since a short TTL was last seen, and none of these ends early."""
        return _judge(context.stack, wanted=1)


def _judge(stack: Stack, wanted: int) -> Verdict:
    if any(short > 0 for _, short in instant(stack, "max(inventory_reservation_ttl_below_floor)")):
        return Verdict(
            ReservationsLive.summary,
            Outcome.FAILED,
            "the TTL is below its floor now: whatever is reserved ends early",
        )
    since = max((at for _, at in instant(stack, SHORT_UNTIL)), default=0.0) + SEEN_SECONDS
    rows = select(stack, ROWS, LOOK_SECONDS)
    return judge(rows, since, datetime.now(UTC), stack.settings.inventory.reservation_ttl_floor_seconds, wanted)


def judge(rows: Sequence[tuple[object, ...]], since: float, now: datetime, floor: float, wanted: int) -> Verdict:
    """rows: when each row was made, its `expires_at` (both UTC, naive), its remaining TTL in seconds (None: endless).

    since: seconds since 1970; only rows made later are judged. wanted: the least number of these.
    """
    fresh, short = 0, []
    for made, expires, left in rows:
        if not isinstance(made, datetime):
            continue
        made_at = made.replace(tzinfo=UTC)
        if made_at.timestamp() <= since:
            continue
        fresh += 1
        lives = []
        if isinstance(left, int):
            lives.append(((now - made_at).total_seconds() + left, floor - WHOLE_SECOND, "by the table's TTL"))
        if isinstance(expires, datetime):
            lives.append(((expires - made).total_seconds(), floor, "by its own expires_at"))
        ends_early = [(seconds, by) for seconds, least, by in lives if seconds < least]
        if ends_early:
            seconds, by = min(ends_early)
            short.append(f"made {made_at:%H:%M:%S}, lives {seconds:.0f} s {by}")
    numbers = {"reservations": float(len(rows)), "made_since": float(fresh), "too_short": float(len(short))}
    if short:
        words = f"{len(short)} of {fresh} new reservations live shorter than {floor:g} s"
        return Verdict(ReservationsLive.summary, Outcome.FAILED, words, numbers, tuple(short[:KEYS_SHOWN]))
    if fresh < wanted:
        return Verdict(
            ReservationsLive.summary,
            Outcome.UNKNOWN,
            "nobody reserved anything since the TTL was right again",
            numbers,
        )
    words = (
        f"all of {fresh} reservations that were made since the TTL was right live {floor:g} s (to the second) or more"
    )
    return Verdict(ReservationsLive.summary, Outcome.PASSED, words, numbers)
