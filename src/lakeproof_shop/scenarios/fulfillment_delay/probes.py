"""Questions about shipping labels: how late the latest parcel is, what lies where, and what is held by hand."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from lakeproof.errors import CouldNotLook
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.exporters import told
from lakeproof.probes.object_store import WRITABLE, answering, write_beside, write_probe
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Value
from lakeproof.stack.database_rows import read_rows
from lakeproof.stack.engines import minio
from lakeproof.stack.object_store import LABEL_BUCKET
from lakeproof.stack.stack import Stack
from lakeproof_shop.services.fulfillment.holds_by_hand import (
    MOST_LOOKED_AT,
    SERVICE,
    listed,
    read_labels,
    waiting_keys,
)
from lakeproof_shop.services.fulfillment.label import CHAOS, PENDING, READY

LAG = "fulfillment_lag_minutes"
LATE_MINUTES = 10
SCHEMA = "fulfillment"
# `attempts` includes the one that is under way, and `vain` does not: it is 0 for a parcel at its first attempt.
WORK = """
SELECT count(*) FILTER (WHERE is_due), extract(epoch FROM now() - min(due_at) FILTER (WHERE is_due)),
  count(*) FILTER (WHERE is_leased), extract(epoch FROM min(lease_until) FILTER (WHERE is_leased) - now()),
  coalesce(max(vain), 0), (array_agg(problem ORDER BY vain DESC, due_at) FILTER (WHERE vain > 0))[1]
FROM fulfillments, LATERAL (SELECT coalesce(lease_until > now(), false) AS is_leased) AS l,
  LATERAL (SELECT due_at <= now() AND NOT is_leased AS is_due, attempts - is_leased::int AS vain) AS w WHERE has_work
"""


def lag(stack: Stack, timeout: float) -> Value:
    """By how many minutes the latest parcel is late, or will be once its hold is over. Raises: CouldNotLook."""
    return told(stack, timeout, SERVICE, LAG)


def held(stack: Stack, timeout: float) -> Value:
    """How many labels are held by a hold that the service did not write, a rehearsal's labels included.

    At most MOST_LOOKED_AT labels are looked at, a rehearsal's first. Where more wait, more may be held.
    Raises: CouldNotLook, also where more wait and none of the labels that were looked at is held.
    """

    def count(client: Any) -> tuple[int, int]:
        now, keys = datetime.now(UTC), waiting_keys(client)
        looked = read_labels(client, keys[:MOST_LOOKED_AT])
        return sum(label.is_held_by_hand(now) for label in looked), len(keys)

    found, waiting = _ask(stack, timeout, count)
    if not found and waiting > MOST_LOOKED_AT:
        raise CouldNotLook(
            f"{waiting} labels wait, and none of the {MOST_LOOKED_AT} that were looked at is held by hand",
            where=LABEL_BUCKET,
            next_action="lakeproof mitigate INCIDENT --action release_labels looks at all of them",
        )
    return found


def by_prefix(stack: Stack, timeout: float) -> Value:
    """Objects and bytes under each prefix: `pending/ 3 (0.9 kB), ready/ 120 (36.1 kB)`. Raises: CouldNotLook."""

    def count(client: Any) -> list[str]:
        sizes = {prefix: [size for _, size in listed(client, prefix)] for prefix in (PENDING, READY, CHAOS)}
        return [f"{prefix} {len(found)} ({sum(found) / 1000:.1f} kB)" for prefix, found in sizes.items()]

    return ", ".join(_ask(stack, timeout, count))


def worker(stack: Stack, timeout: float) -> Value:
    """What the worker has to do, in words: how much waits and for how long, what is leased and until when, and what
    was tried in vain. Raises: CouldNotLook.
    """
    ((due, since, leased, ends, tried, problem),) = read_rows(stack, WORK, seconds=timeout, schema=SCHEMA)
    words = [f"{due} due" + (f", the first since {since:.0f} s" if due else "")]
    words.append(f"{leased} leased" + (f", the first for {ends:.0f} s more" if leased else ""))
    if tried:
        words.append(f"tried {tried} times at most: {problem or 'no answer was noted'}")
    return "; ".join(words)


def ready_writes(stack: Stack, timeout: float) -> Value:
    """WRITABLE, or how the store refuses an object under ready/. Where ready/ holds nothing the bucket's root is
    asked, for there the worker would have to make it. Raises: CouldNotLook.
    """
    return write_beside(stack, timeout, LABEL_BUCKET, READY)


def pending_writes(stack: Stack, timeout: float) -> Value:
    """WRITABLE, or how the store refuses an object under pending/. Raises: CouldNotLook.

    pending/ is asked while it holds nothing, too: a folder that takes no label is mostly empty. versitygw may delete
    the empty folder just as the worker writes into it, as after each last label; the worker tries that label again.
    """
    return write_probe(stack, timeout, LABEL_BUCKET, PENDING)


def _ask[T](stack: Stack, timeout: float, question: Callable[[Any], T]) -> T:
    with answering():
        return question(minio.client(stack, timeout))


PROBES = (
    Probe("fulfillment-lag", SERVICE, f"{LAG} of GET /metrics", "min", lag, Condition(Operator.BELOW, LATE_MINUTES)),
    Probe(
        "labels-held",
        "minio",
        f"hold-until or was-held-until without hold-version, HEAD of {LABEL_BUCKET}/{PENDING}* and {CHAOS}*",
        "labels",
        held,
        within=SERVICE,
        steady=True,
    ),
    Probe("labels-by-prefix", "minio", f"list {LABEL_BUCKET} by prefix", "", by_prefix, within=SERVICE),
    Probe(
        "fulfillment-worker",
        "postgres",
        "fulfillment.fulfillments: work, leases, attempts",
        "",
        worker,
        within=SERVICE,
    ),
    Probe(
        "labels-ready-writes",
        "minio",
        f"PUT and DELETE of an object under {LABEL_BUCKET}/{READY}",
        "",
        ready_writes,
        Condition(Operator.IS, WRITABLE),
        within=SERVICE,
    ),
    Probe(
        "labels-pending-writes",
        "minio",
        f"PUT and DELETE of an object under {LABEL_BUCKET}/{PENDING}",
        "",
        pending_writes,
        Condition(Operator.IS, WRITABLE),
        within=SERVICE,
    ),
)
