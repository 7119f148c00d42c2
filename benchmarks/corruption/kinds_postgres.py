"""PostgreSQL: payments, parcels, cases, notifications, outboxes; and the lake's copy of them alone.

Every change in PostgreSQL is captured. The lake only adds rows to some tables (events) and refuses changes of them.
So their rows are moved to a parent that does not exist instead of being deleted: the lake would refuse the deletion,
and would have the row twice once it returns.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

from benchmarks.corruption.kind import Kind, Looking, Plant, Planted, named, picked, picked_two
from benchmarks.corruption.least_steps import LEAST, changed
from benchmarks.corruption.rows import POSTGRES, Table, lake_table, row_changed

_NEEDS = frozenset(
    {"mysql", "postgres", "payment-service", "fulfillment-service", "support-service", "notification-service"}
)
_IN_LAKE = _NEEDS | {"shop-capture", "publisher", "trino", "flink-taskmanager"}

type Row = Mapping[str, Any]
type Keys = tuple[str, ...]


def kinds() -> Iterator[Kind]:
    """All kinds of this module."""
    yield from named(_PAYMENTS | _PARCELS | _CASES | _TOLD, _NEEDS, "postgres")
    yield from named({**_of_columns(), **_LAKE}, _IN_LAKE, "lake of postgres")


def _one(table: str, where: str, keys: tuple[str, ...], key: str = "id", **changes: Any) -> Plant:
    """Changes columns of one row that fits `where`: to a value, or by a function of the old value.

    keys: format templates that are filled with the row's columns.
    """

    def plant(look: Looking, rng: Random) -> Planted:
        row = _some_row(look, rng, table, where, key)
        after = {name: change(row[name]) if callable(change) else change for name, change in changes.items()}
        what = f"{table} {row[key]}: {', '.join(f'{name} becomes {value!r}' for name, value in after.items())}"
        return Table(POSTGRES, table, key).becomes(what, _keys(look, keys, row), (row, changed(row, **after)))

    return plant


def _gone(table: str, where: str, keys: tuple[str, ...], key: str = "id") -> Plant:
    def plant(look: Looking, rng: Random) -> Planted:
        row = _some_row(look, rng, table, where, key)
        return Table(POSTGRES, table, key).goes(f"{table} {row[key]} goes", _keys(look, keys, row), row)

    return plant


def _some_row(look: Looking, rng: Random, table: str, where: str, key: str = "id") -> Row:
    rows = look.postgres(f"SELECT t.* FROM {table} t WHERE {where} ORDER BY t.{key}")
    return picked(rng, rows, f"{table} row")


def _keys(look: Looking, templates: tuple[str, ...], row: Row) -> Keys:
    """Fill the templates with the row's columns; {checkout} stands for the checkout key of the row's order."""
    values = dict(row)
    if any("{checkout}" in template for template in templates):
        found = look.mariadb(f"SELECT checkout_key FROM oltp.checkouts WHERE order_id = {row['order_id']}")
        values["checkout"] = found[0]["checkout_key"] if found else "none"
    return tuple(template.format(**values) for template in templates)


def _amounts_swapped(look: Looking, rng: Random) -> Planted:
    rows = look.postgres("SELECT * FROM payment.payments WHERE status = 'captured' ORDER BY id")
    amounts = {row["amount"]: row for row in rows}
    one, other = picked_two(rng, [amounts[amount] for amount in sorted(amounts)], "payments of different amounts")
    names, pairs = ("amount", "authorized", "captured"), ((one, other), (other, one))
    return Table(POSTGRES, "payment.payments").becomes(
        f"payments {one['id']} and {other['id']} swap amounts",
        (f"payment {one['id']}", f"payment {other['id']}"),
        *((each, changed(each, **{name: whose[name] for name in names})) for each, whose in pairs),
    )


def _doubled(table: str, where: str, keys: tuple[str, ...], **changes: Any) -> Plant:
    def plant(look: Looking, rng: Random) -> Planted:
        row = _some_row(look, rng, table, where)
        after = {name: change(row[name]) if callable(change) else change for name, change in changes.items()}
        second = changed(row, id=row["id"] + 800_000_000, **after)
        what = f"{table} {row['id']} comes again as {second['id']}"
        return Table(POSTGRES, table).comes(what, _keys(look, keys, {**row, "second": second["id"]}), second)

    return plant


def _marked_and_never_sent(look: Looking, rng: Random) -> Planted:
    row = _some_row(look, rng, "payment.outbox", "t.sent_at IS NOT NULL")
    second = changed(row, id=row["id"] + 800_000_000, event_id=UUID(int=rng.getrandbits(128), version=4))
    what = f"event {second['event_id']} is marked as sent and was not"
    return Table(POSTGRES, "payment.outbox").comes(what, (str(second["event_id"]),), second)


def _as_in_lake(value: Any) -> Any:
    """The value as the lake holds it: times have no zone, and UUIDs are text."""
    if hasattr(value, "tzinfo"):
        return value.replace(tzinfo=None)
    return str(value) if isinstance(value, UUID) else value


def _in_lake(database_table: str, column: str, step: str, key: str = "id", instead: Any = None) -> Plant:
    """Changes that column in a row of the lake. instead: the value that replaces NULL; None: skip rows with NULL."""
    name = database_table.rpartition(".")[2]

    def plant(look: Looking, rng: Random) -> Planted:
        where = f"t.{column} IS NOT NULL" if instead is None else "true"
        row = _some_row(look, rng, database_table, where, key)
        plain = {each: _as_in_lake(value) for each, value in row.items()}
        after = changed(plain, **{column: instead if plain[column] is None else LEAST[step](plain[column])})
        what = f"the lake's {name} {row[key]}: {column} becomes {after[column]!r}"
        return row_changed(what, (str(row[key]),), lake_table("shop", name), plain, after)

    return plant


def _of_columns() -> dict[str, Plant]:
    """A change of every column of every table by its least step, except the lake's keys: another key is another row.
    In tables without a key in the lake, the id column changes to a number far from all others.
    """
    return {
        f"{table}.{column} {step}": _in_lake(f"{schema}.{table}", column, step, key, instead)
        for schema, tables in _TABLES.items()
        for table, key in tables.items()
        for lake in [lake_table("shop", table)]
        for column, flink_type in lake.columns.items()
        if column != key or not lake.has_key
        for step, instead in [_FAR if column == key else _STEPS[flink_type.partition("(")[0]]]
    }


def _gone_from_lake(database_table: str) -> Plant:
    name = database_table.rpartition(".")[2]

    def plant(look: Looking, rng: Random) -> Planted:
        row = _some_row(look, rng, database_table, "true")
        table, plain = lake_table("shop", name), {key: _as_in_lake(value) for key, value in row.items()}
        return Planted(
            f"the lake's {name} {row['id']} goes",
            (str(row["id"]),),
            (table.delete("id", [row["id"]]),),
            (table.insert([plain]),),
        )

    return plant


# Schema → table → its key column.
_TABLES: Mapping[str, Mapping[str, str]] = {
    "payment": {"payments": "id", "payment_events": "id"},
    "fulfillment": {"fulfillments": "id", "fulfillment_events": "id"},
    "support": {"cases": "id", "case_events": "id", "case_messages": "id", "case_attachments": "id"},
    "notification": {"notifications": "id", "preferences": "customer_id"},
}
# Flink's type → the least step of a value, and the value that replaces NULL.
_STEPS: Mapping[str, tuple[str, Any]] = {
    "BIGINT": ("by one", 1),
    "INT": ("by one", 1),
    "STRING": ("by a trailing blank", "x"),
    "DECIMAL": ("by a cent", Decimal("0.01")),
    "TIMESTAMP": ("by a microsecond", datetime(2026, 1, 1)),
    "BOOLEAN": ("to the opposite", True),
}
_FAR = ("far away", None)
_CENT = Decimal("0.01")
_OF_PAYMENT = ("payment {id}", "checkout {checkout}")
_OF_PARCEL = ("parcel {id}", "checkout {checkout}")
_NO_PARENT = lambda id_: -id_  # noqa: E731
_BOUGHT = "t.status = 'captured'"
_WANTED = "t.status IN ('label_ready', 'shipped')"

_PAYMENTS: dict[str, Plant] = {
    "payment gone": _gone("payment.payments", _BOUGHT, _OF_PAYMENT),
    "payment captured a cent less": _one(
        "payment.payments", _BOUGHT, _OF_PAYMENT, captured=lambda amount: amount - _CENT
    ),
    "payment moved to another order": _one("payment.payments", _BOUGHT, _OF_PAYMENT, order_id=_NO_PARENT),
    "amounts of two payments swapped": _amounts_swapped,
    "captured event moved to no payment": _one(
        "payment.payment_events", "t.type = 'captured'", ("payment {payment_id}",), payment_id=_NO_PARENT
    ),
    "captured event by a cent": _one(
        "payment.payment_events", "t.type = 'captured'", ("payment {payment_id}",), amount=LEAST["by a cent"]
    ),
    "payment for no order invented": _doubled(
        "payment.payments", _BOUGHT, ("payment {second}",), order_id=lambda id_: -id_
    ),
    "event marked as sent and never sent": _marked_and_never_sent,
}
_PARCELS: dict[str, Plant] = {
    "parcel gone": _gone("fulfillment.fulfillments", _WANTED, _OF_PARCEL),
    "parcel doubled under another id": _doubled("fulfillment.fulfillments", _WANTED, _OF_PARCEL, has_work=False),
    "parcel of another order": _one("fulfillment.fulfillments", _WANTED, _OF_PARCEL, order_id=_NO_PARENT),
    "parcel's version by one": _one("fulfillment.fulfillments", _WANTED, _OF_PARCEL, version=LEAST["by one"]),
    "parcel's label by a byte": _one("fulfillment.fulfillments", _WANTED, _OF_PARCEL, label_bytes=LEAST["by one"]),
    "shipped event moved to no parcel": _one(
        "fulfillment.fulfillment_events",
        "t.type = 'shipped'",
        ("parcel {fulfillment_id}",),
        fulfillment_id=_NO_PARENT,
    ),
    "shipped event in case": _one(
        "fulfillment.fulfillment_events", "t.type = 'shipped'", ("parcel {fulfillment_id}",), type=LEAST["in case"]
    ),
}
_FROM_CUSTOMER = "t.author = 'customer'"
_CASES: dict[str, Plant] = {
    "complaint gone": _gone("support.case_messages", _FROM_CUSTOMER, ("case {case_id}",)),
    "complaint by a trailing blank": _one(
        "support.case_messages", _FROM_CUSTOMER, ("case {case_id}",), body=LEAST["by a trailing blank"]
    ),
    "complaint in case": _one("support.case_messages", _FROM_CUSTOMER, ("case {case_id}",), body=LEAST["in case"]),
    "complaint moved to no case": _one(
        "support.case_messages", _FROM_CUSTOMER, ("case {case_id}",), case_id=_NO_PARENT
    ),
    "complaint doubled in another case": _doubled(
        "support.case_messages", _FROM_CUSTOMER + " AND (SELECT count(*) FROM support.cases) > 1", ("case {case_id}",)
    ),
    "attachment row gone": _gone("support.case_attachments", "true", ("case {case_id}",)),
    "attachment's sha256 in case": _one(
        "support.case_attachments", "true", ("case {case_id}",), sha256=LEAST["in case"]
    ),
    "case gone": _gone("support.cases", "t.order_id IS NOT NULL", ("case {id}",)),
    "case of another order": _one("support.cases", "t.order_id IS NOT NULL", ("case {id}",), order_id=_NO_PARENT),
}
_TOLD: dict[str, Plant] = {
    "preferences gone": _gone(
        "notification.preferences", "t.opted_out <> '[]'", ("customer {customer_id}",), "customer_id"
    ),
    "preferences to empty": _one(
        "notification.preferences", "t.opted_out <> '[]'", ("customer {customer_id}",), "customer_id", opted_out="[]"
    ),
    "preferences' version by one": _one(
        "notification.preferences", "true", ("customer {customer_id}",), "customer_id", version=LEAST["by one"]
    ),
    "notification of an event gone": _gone(
        "notification.notifications",
        "t.id IN (SELECT event_id FROM payment.outbox WHERE sent_at < clock_timestamp() - interval '130 s'"
        " UNION SELECT event_id FROM fulfillment.outbox WHERE sent_at < clock_timestamp() - interval '130 s')",
        ("event {id}",),
    ),
    "consumed event gone": _gone(
        "notification.consumed_events",
        "t.event_id IN (SELECT event_id FROM payment.outbox WHERE sent_at < clock_timestamp() - interval '130 s'"
        " AND type = 'payment.captured')",
        ("event {event_id}",),
        "event_id",
    ),
}
_LAKE: dict[str, Plant] = {
    "payment's order to NULL": _in_lake("payment.payments", "order_id", "to NULL"),
    "parcel's status to empty": _in_lake("fulfillment.fulfillments", "status", "to empty"),
    "notification's subject in case": _in_lake("notification.notifications", "subject", "in case"),
    "payment gone": _gone_from_lake("payment.payments"),
    "case gone": _gone_from_lake("support.cases"),
}
