"""What customers see: support's timelines over HTTP, and what became of what they told the shop."""

import asyncio
from collections import defaultdict
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson

from lakeproof.errors import CouldNotLook
from lakeproof.shop.claims.facts import PreferenceFact, Store, TimelineFact, ToldFact
from lakeproof.shop.claims.rows import READ_SECONDS, rows_of
from lakeproof.shop.contacts import Contact, Contacts, Kind
from lakeproof.stack.engines import mysql
from lakeproof.stack.stack import Stack

type Entry = tuple[str, str, str, int]

ASK_SECONDS = 10.0
_CASES = "SELECT id, order_id FROM cases WHERE order_id IS NOT NULL ORDER BY id DESC LIMIT $1"
_PAYMENTS = """
SELECT order_id, id, status, version, created_at, updated_at FROM payments WHERE order_id = ANY($1::bigint[])
"""
_PARCELS = """
SELECT f.order_id, f.id, e.type, e.at FROM fulfillments f JOIN fulfillment_events e ON e.fulfillment_id = f.id
WHERE f.order_id = ANY($1::bigint[])
"""
_MESSAGES = """
SELECT m.case_id, m.body FROM cases c JOIN case_messages m ON m.case_id = c.id
WHERE c.order_id = ANY($1::bigint[]) AND m.author = 'customer'
"""
_FILES = "SELECT case_id, sha256 FROM case_attachments WHERE case_id = ANY($1::bigint[])"
_PREFERENCES = "SELECT customer_id, version, opted_out::text FROM preferences WHERE customer_id = ANY($1::bigint[])"


def read_timelines(stack: Stack, newest: int) -> tuple[TimelineFact, ...]:
    """Of the newest cases that have an order: first what the stores hold, then what support shows.

    Raises: CouldNotLook.
    """
    cases = asyncio.run(rows_of(stack, "support", _CASES, newest))
    held = asyncio.run(_held(stack, sorted({order_id for _, order_id in cases})))
    with httpx.Client(base_url=stack.url("support-service"), timeout=ASK_SECONDS, trust_env=False) as support:
        return tuple(_timeline(support, case_id, order_id, held[order_id]) for case_id, order_id in cases)


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
        # It says itself that it is not whole: nothing stale or lost is shown, and nothing can be compared.
        raise CouldNotLook(
            f"case {case_id}'s timeline lacks {' and '.join(missing)}, which does not answer it",
            where=Store.SUPPORT.value,
        )
    wanted = [entry for entry in held if states.get(entry[1]) != "off"]  # switched off on purpose: not asked
    return TimelineFact(case_id, order_id, tuple(sorted(shown)), tuple(sorted(wanted)))


async def _held(stack: Stack, orders: list[int]) -> defaultdict[int, list[Entry]]:
    """By order what its timeline must show: of order and payment beginning and newest change, of a parcel all."""
    found: defaultdict[int, list[Entry]] = defaultdict(list)
    for order_id, id_, status, version, created, updated in await rows_of(stack, "payment", _PAYMENTS, orders):
        first = "declined" if status == "declined" else "authorized"
        found[order_id].append((_iso(created), "payment", f"payment.{first}", id_))
        if version > 1:
            found[order_id].append((_iso(updated), "payment", f"payment.{status}", id_))
    for order_id, id_, type_, at in await rows_of(stack, "fulfillment", _PARCELS, orders):
        found[order_id].append((_iso(at), "fulfillment", f"fulfillment.{type_}", id_))
    for id_, status, version, created, updated in _orders(stack, orders):
        found[id_].append((_iso(created), "order", "order.created", id_))
        if version > 1:
            newest = "changed" if status == "created" else status
            found[id_].append((_iso(updated), "order", f"order.{newest}", id_))
    return found


def _orders(stack: Stack, orders: list[int]) -> list[Any]:
    import pymysql

    try:
        with (
            mysql.connect(stack, "reader", "mysql-reader", READ_SECONDS) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(
                "SELECT id, status, version, created_at, updated_at FROM oltp.orders WHERE id IN %s", (orders or [0],)
            )
            return list(cursor.fetchall())
    except pymysql.MySQLError as error:
        raise CouldNotLook(f"no answer: {type(error).__name__}", where=Store.ORDERS.value) from error


def _iso(at: datetime) -> str:
    # MariaDB's times have no zone, and are UTC.
    plain = at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
    return f"{plain.isoformat(timespec='microseconds')}Z"


async def read_told(stack: Stack, contacts: Contacts, there: Collection[Store]) -> dict[str, Any]:
    """What became of everything in the contacts' ledgers. Raises: CouldNotLook."""
    found: dict[str, Any] = {}
    if Store.SUPPORT in there:
        found["told"] = (*await _complaints(stack, contacts), *await _attachments(stack, contacts))
    if Store.NOTIFIER in there:
        found["preferences"] = await _preferences(stack, contacts)
    return found


def _of(kind: Kind, contacts: Contacts) -> list[tuple[Contact, int]]:
    """(what was told, the acknowledged ref or 0) for every call of that kind."""
    acked = [(one, one.ref) for one in contacts.acknowledged.values() if one.kind is kind]
    return acked + [(one, 0) for one in contacts.open.values() if one.kind is kind]


async def _complaints(stack: Stack, contacts: Contacts) -> list[ToldFact]:
    asked = _of(Kind.COMPLAINT, contacts)
    rows = await rows_of(stack, "support", _MESSAGES, sorted({one.order_id or 0 for one, _ in asked}))
    cases: defaultdict[str, list[int]] = defaultdict(list)
    for case_id, body in rows:
        cases[body].append(case_id)
    return [ToldFact(one.key, ref, tuple(sorted(cases[one.text]))) for one, ref in asked]


async def _attachments(stack: Stack, contacts: Contacts) -> list[ToldFact]:
    # The case of an open one is known too: it was acknowledged before.
    asked = _of(Kind.ATTACHMENT, contacts)
    rows = await rows_of(stack, "support", _FILES, sorted({one.ref for one, _ in asked}))
    cases: defaultdict[str, list[int]] = defaultdict(list)
    for case_id, sha256 in rows:
        cases[sha256].append(case_id)
    return [ToldFact(one.key, ref, tuple(sorted(cases[one.text]))) for one, ref in asked]


async def _preferences(stack: Stack, contacts: Contacts) -> tuple[PreferenceFact, ...]:
    newest: dict[int, Contact] = {}
    unclear: defaultdict[int, list[str]] = defaultdict(list)
    for one, ref in _of(Kind.PREFERENCES, contacts):
        if not ref:
            unclear[one.customer_id].append(one.text)
        elif one.customer_id not in newest or newest[one.customer_id].ref < ref:
            newest[one.customer_id] = one
    rows = await rows_of(stack, "notification", _PREFERENCES, sorted(newest))
    kept = {row[0]: (row[1], ",".join(sorted(orjson.loads(row[2])))) for row in rows}
    return tuple(
        PreferenceFact(customer_id, one.ref, one.text, *kept.get(customer_id, (0, "")), tuple(unclear[customer_id]))
        for customer_id, one in newest.items()
    )
