"""The shop's facts are read from real MariaDB and PostgreSQL; a database that is away hides nothing of the other."""

import asyncio
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakeproof.ledger.calls import Event, now_us
from lakeproof.processes.client import SupervisorClient
from lakeproof.proof.tables.readers import snapshot_of
from lakeproof.proof.tables.whole_claims import CLAIMS as WHOLE_CLAIMS
from lakeproof.stack import postgres_session
from lakeproof.stack.engines import mysql
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.contacts import FOLDER, Contact, Kind, read_contacts
from lakeproof_shop.customers.kept import KeptInStack
from lakeproof_shop.customers.shoppers.leftover_contacts import settle_contacts
from lakeproof_shop.proof import history_claims
from lakeproof_shop.proof.claims.catalog import CLAIMS
from lakeproof_shop.proof.claims.facts import Part, Scope, Store
from lakeproof_shop.proof.claims.reading import read_facts

pytestmark = pytest.mark.engines

STORES = (Store.ORDERS, Store.SHOP, Store.NOTIFIER, Store.SUPPORT)
READ = {Part.CHECKOUTS, Part.PAYMENTS, Part.PARCELS, Part.OUTBOXES, Part.ACTS, Part.CONTACTS}
CHECKOUT = """
INSERT INTO oltp.checkouts (checkout_key, digest, request, step, sold, attempts, trace_id, owner, held_until, is_open,
                            created_at, updated_at)
VALUES (%s, 'd', %s, %s, FALSE, 1, 't', '', UTC_TIMESTAMP(6), FALSE, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))
"""
CASE = """
WITH made AS (INSERT INTO cases (customer_id, order_id, subject, status, version, created_at, updated_at)
              VALUES (7, 70, 's', 'open', 1, now(), now()) RETURNING id),
     said AS (INSERT INTO case_messages (case_id, author, body, at) SELECT id, 'customer', 'late', now() FROM made)
INSERT INTO case_attachments (case_id, name, content_type, size, sha256, file, place, created_at)
SELECT id, 'n', 'text/plain', 1, 'sha', $1, 'local', now() FROM made RETURNING case_id
"""
PREFERENCES = """
INSERT INTO preferences (customer_id, opted_out, version, updated_at) VALUES (7, '["order/email"]', 1, now())
"""


@pytest.fixture(scope="module")
def supervisor(up: Callable[..., SupervisorClient]) -> SupervisorClient:
    return up("postgres", "mysql")


@pytest.fixture(scope="module")
def case_id(stack: Stack, supervisor: SupervisorClient) -> int:
    """A case with a message and a file; beside it preferences, and checkouts of three lines."""
    request = json.dumps({"items": [{"sku": sku, "quantity": 2} for sku in "abc"]})
    with mysql.connect(stack, "root", "mysql-root", 10.0) as connection, connection.cursor() as cursor:
        cursor.execute(CHECKOUT, ("k-done", request, "done"))
        cursor.execute(CHECKOUT, ("k-returned", request, "returned"))
        connection.commit()

    root: dict[str, Any] = {"seconds": 10.0, "database": "shop"}
    account = (stack, "postgres", "postgres-root")
    postgres_session.select(*account, PREFERENCES, schema="notification", **root)
    return int(postgres_session.select(*account, CASE, uuid.uuid4(), schema="support", **root)[0][0])


def test_every_line_of_every_checkout_is_read(stack: Stack, case_id: int) -> None:
    found = read_facts(stack, STORES, Scope(frozenset(READ)))
    assert found.unknown == {}
    items = tuple((sku, 2) for sku in "abc")
    assert {(one.key, one.items, one.back) for one in found.checkouts or ()} == {
        ("k-done", items, ()),
        ("k-returned", items, items),
    }
    assert (found.payments, found.parcels, found.acts) == ((), (), ())


def test_what_killed_customers_told_is_settled_by_what_is_there(stack: Stack, case_id: int, tmp_path: Path) -> None:
    def line(key: str, kind: Kind, text: str, ref: int = 0, customer_id: int = 7) -> bytes:
        at_us = now_us() - 60_000_000
        return Contact(at_us, "dead", key, kind, Event.INVOKE, customer_id, 70, text, ref).to_bytes()

    lines = [
        line("made", Kind.COMPLAINT, "late"),
        line("never", Kind.COMPLAINT, "another"),
        line("file", Kind.ATTACHMENT, "sha", case_id),
        line("lost-file", Kind.ATTACHMENT, "sha-2", case_id),
        line("out", Kind.PREFERENCES, "order/email"),
        line("out-never", Kind.PREFERENCES, "order/email", customer_id=8),
    ]
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "dead.jsonl").write_bytes(b"".join(lines))
    assert asyncio.run(settle_contacts(tmp_path, KeptInStack(stack), 7.0)) == len(lines)
    settled = {key: one.ref for key, one in read_contacts(tmp_path).acknowledged.items()}
    expected = {"made": case_id, "never": 0, "file": case_id, "lost-file": 0, "out": 1, "out-never": 0}
    assert (settled, read_contacts(tmp_path).unclear) == (expected, 0)


PAYMENT = """
INSERT INTO payments (order_id, customer_id, card_fingerprint, status, amount, authorized, captured, refunded,
                      version, created_at, updated_at)
VALUES (77, 7, 'f', 'authorized', 12.30, 12.30, 0, 0, 1, now(), now()) RETURNING id
"""
NOTHING_AUTHORIZED = "shop: nothing stays authorized for a checkout that failed"


@pytest.mark.proof  # until it was green three times in a row
def test_a_failed_checkouts_payment_that_was_never_voided_is_found(stack: Stack, case_id: int) -> None:
    def broken() -> list[str] | None:
        return CLAIMS[NOTHING_AUTHORIZED](read_facts(stack, STORES, Scope(frozenset(READ))))

    def in_payment(statement: str, *values: object) -> int | None:
        with postgres_session.connection(stack, "postgres", "postgres-root", 10.0, "shop", "payment") as session:
            rows = session.rows(statement, *values)
            return int(rows[0][0]) if rows else None

    payment = in_payment(PAYMENT)
    with mysql.connect(stack, "root", "mysql-root", 10.0) as connection, connection.cursor() as cursor:
        cursor.execute(CHECKOUT, ("k-failed", json.dumps({"items": []}), "failed"))
        cursor.execute(
            "UPDATE oltp.checkouts SET order_id = 77, payment_id = %s WHERE checkout_key = 'k-failed'", (payment,)
        )
        connection.commit()
        try:
            assert broken() == [
                f"checkout k-failed: failed, and payment {payment} for its order 77 is still authorized"
            ]
            in_payment("UPDATE payments SET status = 'voided' WHERE id = $1", payment)
            assert broken() == []
            in_payment("DELETE FROM payments WHERE id = $1", payment)
            assert broken() == [f"checkout k-failed: failed, and its payment {payment} is gone"]
        finally:
            cursor.execute("DELETE FROM oltp.checkouts WHERE checkout_key = 'k-failed'")
            connection.commit()


def test_a_database_that_is_frozen_is_unknown_and_the_other_is_read(
    stack: Stack, case_id: int, supervisor: SupervisorClient
) -> None:
    supervisor.kill("postgres", "STOP")
    try:
        found = read_facts(stack, STORES, Scope(frozenset(READ)))
    finally:
        supervisor.kill("postgres", "CONT")
    assert len(found.checkouts or ()) == 2
    assert set(found.unknown) == READ - {Part.CHECKOUTS}
    assert len(set(found.unknown.values())) == 1


def test_what_the_minutes_audit_asks_of_a_source_is_taken_by_real_databases(stack: Stack, case_id: int) -> None:
    """The case was written by hand, without an event."""
    broken = {}
    for claims in WHOLE_CLAIMS:
        with snapshot_of(stack, claims.source, 10.0) as database:
            rows = database.ask(claims.source_sql(database.schemas))
        broken[claims.source.name] = {
            (each.subject, each.claim) for each in claims.broken_of(row[1:] for row in rows)
        }
    assert broken == {
        "oltp": set(),
        "shop": {(f"case {case_id}", history_claims.NEWEST_CHANGE), (f"case {case_id}", history_claims.TOLD_OF)},
    }
