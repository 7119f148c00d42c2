"""Checkouts in the shop's database, which are not captured: what they say of order, payment and goods."""

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from benchmarks.corruption.kind import Kind, Looking, Plant, Planted, named, picked, picked_two
from benchmarks.corruption.least_steps import changed
from benchmarks.corruption.rows import STORE_ONLY, Table

_NEEDS = frozenset({"mysql", "postgres", "cassandra-seed", "payment-service", "fulfillment-service"})
_CHECKOUTS = Table(STORE_ONLY, "oltp.checkouts", "checkout_key")


def kinds() -> Iterator[Kind]:
    """All kinds of this module."""
    plants: dict[str, Plant] = {
        "checkout gone": _gone,
        "checkout of what failed or was undone gone": _undone_gone,
        "checkouts of two orders swapped": _swapped,
        "a bought one is failed": _with(step="failed"),
        "a bought one is returned": _with(step="returned"),
        "its payment forgotten": _with(payment_id=None, order_id=None),
        "its reservation is another's": _with(reservation_id="00000000-0000-0000-0000-000000000000"),
    }
    yield from named(plants, _NEEDS, "checkouts")


def _bought(look: Looking) -> list[dict[str, Any]]:
    return look.mariadb(
        "SELECT * FROM oltp.checkouts WHERE step = 'done' AND order_id IS NOT NULL ORDER BY checkout_key"
    )


def _with(**values: Any) -> Plant:
    def plant(look: Looking, rng: Random) -> Planted:
        row = picked(rng, _bought(look), "bought checkout")
        return _planted(f"checkout {row['checkout_key']}: {values}", [(row, changed(row, **values))])

    return plant


def _planted(what: str, pairs: list[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> Planted:
    keys = [
        f"{word} {row[column]}"
        for row, _ in pairs
        for word, column in (("checkout", "checkout_key"), ("payment", "payment_id"))
    ]
    return _CHECKOUTS.becomes(what, tuple(keys), *pairs)


def _gone(look: Looking, rng: Random) -> Planted:
    row = picked(rng, _bought(look), "bought checkout")
    key = row["checkout_key"]
    return _CHECKOUTS.goes(f"checkout {key} goes", (f"payment {row['payment_id']}", key), row)


def _undone_gone(look: Looking, rng: Random) -> Planted:
    """Deletes a checkout that failed or was undone. No payment, parcel or stock belongs to it, so only the ledger
    still tells of it.
    """
    undone = look.mariadb(
        "SELECT * FROM oltp.checkouts WHERE step IN ('failed', 'cancelled', 'returned') AND order_id IS NOT NULL"
        " ORDER BY checkout_key"
    )
    row = picked(rng, undone, "checkout that failed or was undone")
    key = row["checkout_key"]
    return _CHECKOUTS.goes(f"checkout {key} goes ({row['step']})", (f"checkout {key}",), row)


def _swapped(look: Looking, rng: Random) -> Planted:
    one, other = picked_two(rng, _bought(look), "bought checkouts")
    return _planted(
        f"checkouts {one['checkout_key']} and {other['checkout_key']} swap orders",
        [(one, changed(one, order_id=other["order_id"])), (other, changed(other, order_id=one["order_id"]))],
    )
