"""What users see: support's timelines over HTTP, and the entries that the stores hold for them."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import batched
from typing import Any

import httpx

from lakeproof.errors import CouldNotLook
from lakeproof.stack.database_rows import mysql_rows, rows_of
from lakeproof.stack.stack import Stack
from lakeproof_shop.proof.claims.facts import Store, TimelineFact
from lakeproof_shop.serving.times import iso

type Entry = tuple[str, str, str, int]

NEWEST_TIMELINES, OTHER_TIMELINES = 10, 40  # cases
ASK_SECONDS = 10.0
AT_ONCE = 10  # cases: the stores are read for ten, then support is asked, so that little changes in between
_CASES = """
WITH able AS (SELECT id, order_id FROM cases WHERE order_id IS NOT NULL),
     newest AS (SELECT id, order_id FROM able ORDER BY id DESC LIMIT $1),
     others AS (SELECT id, order_id FROM able WHERE id NOT IN (SELECT id FROM newest)
                ORDER BY md5(id::text || ':' || $3::text) LIMIT $2),
     named AS (SELECT id, order_id FROM able WHERE id = ANY($4::bigint[]))
SELECT id, order_id, (SELECT count(*) FROM able) AS of_all
FROM (SELECT * FROM named UNION SELECT * FROM newest UNION SELECT * FROM others) AS chosen ORDER BY id DESC
"""
_PAYMENTS = """
SELECT order_id, id, status, version, created_at, updated_at FROM payments WHERE order_id = ANY($1::bigint[])
"""
_PARCELS = """
SELECT f.order_id, f.id, e.type, e.at FROM fulfillments f JOIN fulfillment_events e ON e.fulfillment_id = f.id
WHERE f.order_id = ANY($1::bigint[])
"""
_ORDERS = "SELECT id, status, version, created_at, updated_at FROM oltp.orders WHERE id IN %s"


def read_timelines(stack: Stack, seed: int, named: Collection[int] = ()) -> dict[str, Any]:
    """Fields of the facts: timelines of the newest cases that have an order, of the `named` cases, and of others by
    the seed. The stores are read first, then support. Raises: CouldNotLook.
    """
    cases = rows_of(stack, "support", _CASES, NEWEST_TIMELINES, OTHER_TIMELINES, str(seed), sorted(named))
    timelines: list[TimelineFact] = []
    with httpx.Client(base_url=stack.url("support-service"), timeout=ASK_SECONDS, trust_env=False) as support:
        for part in batched(cases, AT_ONCE):
            timelines += _timelines(stack, support, [(case_id, order_id) for case_id, order_id, _ in part])
    return {"timelines": tuple(timelines), "cases": cases[0][2] if cases else 0, "seed": seed}


def _timelines(stack: Stack, support: httpx.Client, cases: Sequence[tuple[int, int]]) -> list[TimelineFact]:
    held = _held(stack, sorted({order_id for _, order_id in cases}))
    return [_timeline(support, case_id, order_id, held[order_id]) for case_id, order_id in cases]


def _timeline(support: httpx.Client, case_id: int, order_id: int, held: list[Entry]) -> TimelineFact:
    try:
        answer = support.get(f"/support/cases/{case_id}", params={"includeTimeline": True})
        answer.raise_for_status()
        told = answer.json()["timeline"]
        shown = [
            (entry["at"], entry["source"], entry["type"], entry["ref"])
            for entry in told["entries"]
            if entry["source"] != "support"
        ]
        states = {name: one["state"] for name, one in told["sources"].items()}
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise CouldNotLook(f"no timeline: {type(error).__name__}", where=Store.SUPPORT.value) from error
    if missing := sorted(name for name, state in states.items() if state == "missing"):
        # The timeline itself says that a source is missing. So it shows nothing wrong, but cannot be compared.
        raise CouldNotLook(
            f"case {case_id}'s timeline lacks {' and '.join(missing)}, which does not answer it",
            where=Store.SUPPORT.value,
        )
    wanted = [entry for entry in held if states.get(entry[1]) != "off"]  # a source switched off on purpose
    return TimelineFact(case_id, order_id, tuple(sorted(shown)), tuple(sorted(wanted)))


def _held(stack: Stack, orders: list[int]) -> defaultdict[int, list[Entry]]:
    """Order id → what its timeline must show: first and newest state of order and payment, all events of a parcel."""
    found: defaultdict[int, list[Entry]] = defaultdict(list)
    for order_id, id_, status, version, created, updated in rows_of(stack, "payment", _PAYMENTS, orders):
        first = "declined" if status == "declined" else "authorized"
        found[order_id].append((iso(created), "payment", f"payment.{first}", id_))
        if version > 1:
            found[order_id].append((iso(updated), "payment", f"payment.{status}", id_))
    for order_id, id_, type_, at in rows_of(stack, "fulfillment", _PARCELS, orders):
        found[order_id].append((iso(at), "fulfillment", f"fulfillment.{type_}", id_))
    for id_, status, version, created, updated in mysql_rows(stack, _ORDERS, (orders or [0],)):
        found[id_].append((iso(created), "order", "order.created", id_))
        if version > 1:
            newest = "changed" if status == "created" else status
            found[id_].append((iso(updated), "order", f"order.{newest}", id_))
    return found
