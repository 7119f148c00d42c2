"""Every class of wrong rows is found, with its key, in hand-made worlds; what traffic may do is not."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lakeproof.ledger.calls import Event
from lakeproof.proof.findings import Finding, Wrong
from lakeproof.proof.report import ClaimReport, TableReport
from lakeproof.proof.tables.buckets import Digest, Digests, digests_of, order_values
from lakeproof.proof.tables.canonical import ORDER_EVENTS, ORDER_ITEMS, ORDERS, TABLES, digest_of
from lakeproof_shop.customers.ledger import Expectation, Expectations, Line, State, read_ledgers
from lakeproof_shop.proof import comparing
from lakeproof_shop.proof.comparing import Shown, compare
from lakeproof_shop.proof.contents import Contents, EventRow, IncompleteRow
from lakeproof_shop.proof.differences import differences
from lakeproof_shop.proof.ledger_rules import Judge
from lakeproof_shop.services.order.models import Item, Op, Order

WIDTH = 16
OPS = ("created", "paid", "cancelled")


def order(number: int, version: int = 1) -> Order:
    """Order k<number> with two items, at a version."""
    items = (Item(number * 10, 1, "A", 2, "5.00"), Item(number * 10 + 1, 2, "B", 1, "2.50"))
    status = OPS[version - 1] if version <= len(OPS) else "cancelled"
    created = "2026-11-24T10:00:00.000001Z"
    return Order(number, f"k{number}", 7, status, "12.50", 2, version, created, created, items)


def expected(number: int, versions: int = 1, *, first_at_us: int = 100) -> Expectation:
    """What the ledger knows of an order whose versions 1..n were acknowledged, one each 100 µs."""
    states = [State(v, order(number, v), first_at_us + 100 * (v - 1)) for v in range(1, versions + 1)]
    return Expectation(f"k{number}", states)


def ledger(*ones: Expectation) -> Expectations:
    """Several orders' expectations."""
    acknowledged = sum(len(one.acknowledged) for one in ones)
    unclear = sum(1 for one in ones if one.open_call is not None)
    return Expectations({one.key: one for one in ones}, acknowledged, 0, unclear, ("run",))


def engine(*orders: Order, events: dict[int, int] | None = None) -> Contents:
    """An engine that shows these orders, each with its items, and one event per version.

    events: order id → newest version, for orders that are gone.
    """
    newest = {each.id or 0: each.version for each in orders} | (events or {})
    return Contents(
        orders=[replace(each, items=()) for each in orders],
        items={each.id or 0: list(each.items) for each in orders},
        events={
            order_id: [EventRow(order_id * 100 + v, order_id, v, "changed", v) for v in range(1, version + 1)]
            for order_id, version in newest.items()
        },
    )


def digests(contents: Contents) -> Digests:
    """What the engine's digests are when it shows these rows."""
    sums: dict[str, dict[int, list[int]]] = {table.name: {} for table in TABLES}

    def add(table: str, order_id: int, full: int, identity: int) -> None:
        one = sums[table].setdefault(order_id // WIDTH, [0, 0, 0])
        for place, value in enumerate((1, full, identity)):
            one[place] += value

    for each in contents.orders:
        add(ORDERS.name, each.id or 0, digest_of(order_values(each)), digest_of((each.id,)))
    for order_id, items in contents.items.items():
        for item in items:
            values = (item.id, order_id, item.line, item.sku, item.quantity, item.unit_price)
            add(ORDER_ITEMS.name, order_id, digest_of(values), digest_of((item.id,)))
    for order_id, events in contents.events.items():
        for event in events:
            event_values = (event.id, order_id, event.version, event.type, event.at_us)
            add(ORDER_EVENTS.name, order_id, digest_of(event_values), digest_of((order_id, event.version)))
    return {table: {bucket: Digest(*one) for bucket, one in by.items()} for table, by in sums.items()}


NOW_US = 10_000


def rows_of(contents: Contents, buckets: set[int] | None = None) -> dict[str, list[tuple[Any, ...]]]:
    """What the engine gives of these buckets (None: of all): canonical values by table."""
    rows: dict[str, list[tuple[Any, ...]]] = {
        ORDERS.name: [order_values(each) for each in contents.orders],
        ORDER_ITEMS.name: [
            (item.id, order_id, item.line, item.sku, item.quantity, item.unit_price)
            for order_id, items in contents.items.items()
            for item in items
        ],
        ORDER_EVENTS.name: [
            (event.id, order_id, event.version, event.type, event.at_us)
            for order_id, events in contents.events.items()
            for event in events
        ],
    }
    place = {ORDERS.name: 0, ORDER_ITEMS.name: 1, ORDER_EVENTS.name: 1}
    return {
        table: [row for row in all_of if buckets is None or row[place[table]] // WIDTH in buckets]
        for table, all_of in rows.items()
    }


def run(
    expectations: Expectations, engines: Mapping[str, Contents], cut_us: int = NOW_US
) -> tuple[list[TableReport], list[ClaimReport], list[str]]:
    """Tables, claims, and which engines had rows opened."""
    opened: list[str] = []

    def open_buckets(name: str, buckets: set[int]) -> Mapping[str, Any]:
        opened.append(name)
        return rows_of(engines[name], buckets)

    shown = {name: Shown(cut_us, digests(contents), ()) for name, contents in engines.items()}
    tables, across, unknown = compare(expectations, shown, WIDTH, open_buckets)
    assert unknown == []
    return tables, across, opened


def wrong(expectations: Expectations, contents: Contents, cut_us: int = NOW_US) -> set[tuple[str, str, str]]:
    """(table, class, key) of everything found in one engine."""
    tables, _, _ = run(expectations, {"trino": contents}, cut_us)
    findings: list[Finding] = [finding for table in tables for finding in table.findings]
    return {(finding.table, finding.wrong.value, finding.key) for finding in findings}


@pytest.mark.parametrize("far", [400_000_000_000_000_000, -400_000_000_000_000_000], ids=["after 9999", "before 1"])
def test_a_time_that_no_calendar_has_is_a_finding_that_names_it(far: int) -> None:
    """The lake's columns take such a time, Python's do not: its OverflowError once left the check."""
    whole = rows_of(engine(order(1)))
    (row,) = whole[ORDERS.name]
    created_at = [column.name for column in ORDERS.columns].index("created_at")
    rows = {**whole, ORDERS.name: [(*row[:created_at], far, *row[created_at + 1 :])]}
    shown = {"trino": Shown(NOW_US, of_rows(rows), ())}
    tables, _, unknown = compare(ledger(expected(1)), shown, WIDTH, lambda name, buckets: rows)
    (finding,) = (finding for table in tables for finding in table.findings)
    assert (finding.table, finding.wrong, unknown) == (ORDERS.name, Wrong.PHANTOM, [])
    assert str(far) in finding.detail


def test_equal_engines_pass_without_a_row_being_opened() -> None:
    both = engine(order(1, 2), order(2), order(40, 3))
    tables, _, opened = run(ledger(expected(1, 2), expected(2), expected(40, 3)), {"mysql": both, "trino": both})
    assert (opened, [table.findings for table in tables if table.findings]) == ([], [])
    assert {(table.table, table.engine): table.rows for table in tables}["order_events", "trino"] == 6


def test_an_acknowledged_order_that_is_absent_is_lost_with_its_items_and_events() -> None:
    assert wrong(ledger(expected(1), expected(2)), engine(order(1))) == {
        ("orders", "lost", "k2"),
        ("order_items", "lost", "k2 line 1"),
        ("order_items", "lost", "k2 line 2"),
        ("order_events", "lost", "k2 v1"),
    }


def test_an_order_row_deleted_by_sql_is_lost_while_its_items_are_not() -> None:
    found = engine(order(1))
    found.orders.clear()
    assert wrong(ledger(expected(1)), found) == {("orders", "lost", "k1")}


def test_an_older_version_than_acknowledged_is_stale() -> None:
    assert wrong(ledger(expected(1, 2)), engine(order(1), events={1: 2})) == {("orders", "stale", "k1")}


def test_an_older_version_is_right_where_the_newer_one_was_acknowledged_after_the_cut() -> None:
    assert wrong(ledger(expected(1, 2, first_at_us=100)), engine(order(1)), cut_us=150) == set()


def test_a_newer_version_than_the_cut_asks_for_is_right() -> None:
    assert wrong(ledger(expected(1, 3, first_at_us=100)), engine(order(1, 3)), cut_us=150) == set()


def test_an_order_created_after_the_cut_may_be_absent() -> None:
    assert wrong(ledger(expected(1, first_at_us=500)), engine(), cut_us=150) == set()


def test_a_key_that_no_shopper_tried_is_a_phantom_with_its_items_and_events() -> None:
    assert wrong(ledger(expected(1)), engine(order(1), order(2))) == {
        ("orders", "phantom", "k2"),
        ("order_items", "phantom", "k2 line 1"),
        ("order_items", "phantom", "k2 line 2"),
        ("order_events", "phantom", "k2 v1"),
    }


def test_a_row_changed_without_a_shopper_is_a_phantom() -> None:
    assert wrong(ledger(expected(1)), engine(replace(order(1), total="13.00"))) == {("orders", "phantom", "k1")}


def test_a_time_changed_by_one_microsecond_is_seen() -> None:
    changed = replace(order(1), updated_at="2026-11-24T10:00:00.000002Z")
    assert wrong(ledger(expected(1)), engine(changed)) == {("orders", "phantom", "k1")}


def test_a_version_that_nobody_asked_for_is_a_phantom() -> None:
    assert wrong(ledger(expected(1)), engine(order(1, 2))) == {
        ("orders", "phantom", "k1"),
        ("order_events", "phantom", "k1 v2"),
    }


def test_a_refused_call_that_was_applied_all_the_same_is_a_phantom(tmp_path: Path) -> None:
    """The refused call's version was once allowed, with any content."""
    asked = replace(order(1, 2), updated_at=None)
    lines = [
        Line(100, "run", "k1", Op.CREATE, 1, Event.INVOKE, 1, replace(order(1), id=None)),
        Line(100, "run", "k1", Op.CREATE, 1, Event.OK, 1, order(1)),
        Line(200, "run", "k1", Op.PAY, 1, Event.INVOKE, 2, asked),
        Line(200, "run", "k1", Op.PAY, 1, Event.REFUSED, 1, order(1), "409 conflict"),
    ]
    (tmp_path / "run.jsonl").write_bytes(b"".join(line.to_bytes() for line in lines))
    expectations = read_ledgers(tmp_path)
    for applied in (order(1, 2), replace(order(1, 2), customer_id=8)):
        assert wrong(expectations, engine(applied)) == {
            ("orders", "phantom", "k1"),
            ("order_events", "phantom", "k1 v2"),
        }
    assert wrong(expectations, engine(order(1))) == set()


def test_a_checkouts_order_that_is_not_what_was_asked_for_is_a_phantom_before_it_is_paid(tmp_path: Path) -> None:
    """Nobody acknowledges a checkout's order before it is paid, so that its first version was once not compared."""
    key = "checkout:b1"
    made = replace(order(1), client_key=key)
    unknown = replace(
        made, id=None, created_at=None, updated_at=None, items=tuple(replace(one, id=None) for one in made.items)
    )
    lines = [
        Line(100, "run", key, Op.CREATE, 1, Event.INVOKE, 1, unknown),
        Line(100, "run", key, Op.PAY, 1, Event.INVOKE, 2, replace(unknown, status="paid", version=2)),
    ]
    (tmp_path / "run.jsonl").write_bytes(b"".join(line.to_bytes() for line in lines))
    expectations = read_ledgers(tmp_path)
    assert wrong(expectations, engine(made)) == set()
    for status in ("paid", "cancelled"):
        assert wrong(expectations, engine(replace(made, status=status, version=2))) == set()
    for other in (replace(made, customer_id=8), replace(made, status="cancelled", version=2, total="9.00")):
        assert wrong(expectations, engine(other)) == {("orders", "phantom", key)}


def test_a_version_older_than_any_that_was_asked_for_is_a_phantom() -> None:
    one = Expectation("k1", [], State(1, replace(order(1), id=None), 100))
    assert ("orders", "phantom", "k1") in wrong(ledger(one), engine(replace(order(1), version=0)))


def test_two_ids_for_one_client_key_are_duplicated() -> None:
    second = replace(order(2), client_key="k1")
    found = wrong(ledger(expected(1)), engine(order(1), second))
    assert ("orders", "duplicated", "k1") in found


def test_a_second_row_of_the_same_event_is_duplicated() -> None:
    found = engine(order(1, 2))
    found = replace(found, events={1: [*found.events[1], EventRow(101, 1, 1, "changed", 1)]})
    assert wrong(ledger(expected(1, 2)), found) == {("order_events", "duplicated", "k1 v1")}


def test_a_missing_item_is_lost_and_an_extra_one_a_phantom() -> None:
    whole = order(1)
    found = replace(whole, items=(whole.items[0], Item(99, 3, "C", 1, "1.00")))
    assert wrong(ledger(expected(1)), engine(found)) == {
        ("order_items", "lost", "k1 line 2"),
        ("order_items", "phantom", "k1 line 3"),
    }


def deleted(number: int) -> Expectation:
    """An order whose deletion was acknowledged at version 2."""
    one = expected(number)
    one.acknowledged.append(State(2, None, 200))
    return one


def test_a_deleted_order_that_is_gone_is_right_when_its_events_tell_of_it() -> None:
    assert wrong(ledger(deleted(1)), engine(events={1: 2})) == set()


def test_a_deleted_order_that_is_still_there_is_stale() -> None:
    assert wrong(ledger(deleted(1)), engine(order(1), events={1: 2})) == {("orders", "stale", "k1")}


def test_items_of_a_deleted_order_are_stale() -> None:
    found = replace(engine(events={1: 2}), items={1: list(order(1).items)})
    assert wrong(ledger(deleted(1)), found) == {
        ("order_items", "stale", "k1 line 1"),
        ("order_items", "stale", "k1 line 2"),
    }


def test_an_event_missing_for_a_deleted_order_is_lost() -> None:
    assert wrong(ledger(deleted(1)), engine(events={1: 1})) == {("order_events", "lost", "k1 v2")}


def unclear(number: int, state: State) -> Expectation:
    """An order with one acknowledged version and a call whose outcome nobody knows."""
    one = expected(number)
    one.open_call = state
    return one


@pytest.mark.parametrize("version", [1, 2])
def test_an_unclear_change_may_have_happened_or_not(version: int) -> None:
    one = unclear(1, State(2, replace(order(1, 2), id=None, created_at=None, updated_at=None), 200))
    assert wrong(ledger(one), engine(order(1, version))) == set()


def test_an_unclear_change_with_another_content_than_asked_for_is_a_phantom() -> None:
    one = unclear(1, State(2, replace(order(1, 2), id=None, created_at=None, updated_at=None), 200))
    assert wrong(ledger(one), engine(replace(order(1, 2), total="99.00"))) == {("orders", "phantom", "k1")}


def test_an_unclear_deletion_may_have_happened_or_not() -> None:
    one = unclear(1, State(2, None, 200))
    assert wrong(ledger(one), engine(events={1: 2})) == set()
    assert wrong(ledger(one), engine(order(1))) == set()


@pytest.mark.parametrize(
    ("cut_us", "lost"), [(10, set()), (NOW_US + 120_000_000, {("order_events", "lost", "k1 v2")})]
)
@pytest.mark.parametrize("state", [State(2, replace(order(1, 2), id=None), 200), State(2, None, 200)])
def test_what_became_of_an_unclear_call_the_database_knows_and_the_lake_must_show(
    state: State, cut_us: int, lost: set[tuple[str, str, str]]
) -> None:
    """cut_us: just now the transaction may still have been open at the lake's heartbeat; later it was not."""
    decided = engine(events={1: 2}) if state.order is None else engine(order(1, 2))
    judge = Judge(ledger(unclear(1, state)), cut_us)
    assert {(one.table, one.wrong.value, one.key) for one in differences(decided, engine(order(1)), judge)} == lost
    assert not differences(decided, decided, judge)


def test_an_event_that_is_there_with_null_in_it_is_not_lost_as_well() -> None:
    spoilt = replace(engine(order(1)), events={}, incomplete=[IncompleteRow("order_events", ("type",), 1, None, "")])
    judge = Judge(ledger(expected(1)), NOW_US + 120_000_000)
    assert differences(engine(order(1)), spoilt, judge) == []
    assert differences(engine(order(1)), replace(spoilt, incomplete=[]), judge)


def test_an_unclear_creation_may_have_happened_or_not() -> None:
    asked = replace(order(1), id=None, created_at=None, updated_at=None)
    one = Expectation("k1", [], State(1, asked, 100))
    assert wrong(ledger(one), engine(order(1))) == set()
    assert wrong(ledger(one), engine()) == set()


def _asked(number: int, version: int) -> Order:
    """What a call asked for: nobody knows the ids and times yet."""
    made = order(number, version)
    items = tuple(replace(item, id=None) for item in made.items)
    return replace(made, id=made.id if version > 1 else None, created_at=None, updated_at=None, items=items)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("what", ["updated_at", "created_at", "item"])
def test_the_ids_and_times_that_an_unclear_call_made_are_the_databases_in_the_lake_too(
    version: int, what: str
) -> None:
    state = State(version, _asked(1, version), 200)
    one = Expectation("k1", [], state) if version == 1 else unclear(1, state)
    right = order(1, version)
    if what == "item":
        other = replace(right, items=(replace(right.items[0], id=999), *right.items[1:]))
    else:
        other = replace(right, **{what: "2031-01-01T00:00:00.000001Z"})  # type: ignore[arg-type]
    tables, _, _ = run(ledger(one), {"mysql": engine(right), "trino": engine(other)})
    assert [(t.engine, f.wrong.value, f.key) for t in tables for f in t.findings] == [("trino", "phantom", "k1")]
    tables, _, _ = run(ledger(one), {"mysql": engine(right), "trino": engine(right)})
    assert not any(table.findings for table in tables)


def test_an_unclear_creation_that_only_the_database_has_yet_is_neither_wrong_nor_unknown() -> None:
    """It was done after the lake's cut: `run` fails where something is unknown."""
    event = EventRow(101, 1, 1, "created", NOW_US - 1)
    database = replace(engine(order(1), order(2)), events={1: [event], 2: engine(order(2)).events[2]})
    expectations = ledger(Expectation("k1", [], State(1, _asked(1, 1), NOW_US - 5)), expected(2))
    tables, _, _ = run(expectations, {"mysql": database, "trino": engine(order(2))})
    assert not any(table.findings for table in tables)


def test_a_refused_creation_that_is_there_is_a_phantom() -> None:
    one = Expectation("k1")
    assert ("orders", "phantom", "k1") in wrong(ledger(one), engine(order(1)))


def test_a_row_deleted_from_the_lake_behind_our_back_is_found_there_and_not_in_the_database() -> None:
    tables, _, _ = run(
        ledger(expected(1), expected(2)), {"mysql": engine(order(1), order(2)), "trino": engine(order(1))}
    )
    found = {(table.engine, finding.wrong.value, finding.key) for table in tables for finding in table.findings}
    assert ("trino", "lost", "k2") in found
    assert not any(engine_name == "mysql" for engine_name, _, _ in found)


def test_an_event_whose_type_differs_between_database_and_lake_is_found() -> None:
    lake = engine(order(1))
    lake = replace(lake, events={1: [replace(lake.events[1][0], type="paid")]})
    tables, _, _ = run(ledger(expected(1)), {"mysql": engine(order(1)), "trino": lake})
    assert [(t.engine, f.key) for t in tables for f in t.findings] == [("trino", "k1 v1")]


def test_a_lake_event_whose_id_type_and_time_are_all_wrong_is_found() -> None:
    lake = engine(order(1))
    lake = replace(lake, events={1: [EventRow(999, 1, 1, "paid", 77)]})
    tables, _, _ = run(ledger(expected(1)), {"mysql": engine(order(1)), "trino": lake})
    assert [(t.engine, t.table, f.key) for t in tables for f in t.findings] == [("trino", "order_events", "k1 v1")]


def test_an_order_with_a_negative_id_is_a_phantom() -> None:
    assert ("orders", "phantom", "k-5") in wrong(ledger(expected(1)), engine(order(1), order(-5)))


@pytest.mark.parametrize(
    ("table", "place", "key"),
    [
        *((ORDERS.name, place, "k1") for place in range(2, 9)),
        (ORDERS.name, 0, "k1"),
        (ORDERS.name, 1, "k1"),
        *((ORDER_ITEMS.name, place, "k1") for place in (0, 2, 3, 4, 5)),
        (ORDER_ITEMS.name, 1, "order id NULL"),
        *((ORDER_EVENTS.name, place, "k1") for place in (0, 2, 3, 4)),
        (ORDER_EVENTS.name, 1, "order id NULL"),
    ],
)
def test_a_row_with_null_where_none_can_be_is_a_phantom(table: str, place: int, key: str) -> None:
    rows = rows_of(engine(order(1)))
    row = list(rows[table][0])
    row[place] = None
    rows[table][0] = tuple(row)
    database = engine(order(1))
    shown = {"mysql": Shown(NOW_US, digests(database), ()), "trino": Shown(NOW_US, of_rows(rows), ())}
    tables, _, unknown = compare(
        *(ledger(expected(1)), shown, WIDTH), lambda name, buckets: rows if name == "trino" else rows_of(database)
    )
    assert key in {one.key for each in tables for one in each.findings if one.wrong.value == "phantom"}
    assert unknown == []


def of_rows(rows: Mapping[str, Any]) -> Digests:
    """What the engine's digests are when it shows these rows."""
    return {table.name: digests_of(table, rows[table.name], WIDTH) for table in TABLES}


def test_rows_that_are_not_those_of_the_digest_leave_their_bucket_unknown() -> None:
    """A digest that no row explains must not end as passed."""
    right = engine(order(1))
    shown = {"trino": Shown(NOW_US, {**digests(right), "order_items": {0: Digest(2, 1, 1)}}, ())}
    tables, _, unknown = compare(ledger(expected(1)), shown, WIDTH, lambda name, buckets: rows_of(right))
    assert [table.findings for table in tables if table.findings] == []
    assert len(unknown) == 1 and "trino: order_items, ids 0 to 15" in unknown[0]


def test_an_order_that_differs_from_the_database_without_a_finding_is_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the judge overlooks: here it sees nothing."""
    monkeypatch.setattr(Judge, "findings", lambda *asked: [])
    monkeypatch.setattr(comparing, "differences", lambda *asked: [])
    changed = engine(replace(order(1), total="99.00"))
    shown = {name: Shown(NOW_US, digests(one), ()) for name, one in (("mysql", engine(order(1))), ("trino", changed))}
    _, _, unknown = compare(
        *(ledger(expected(1), expected(2)), shown, WIDTH),
        lambda name, buckets: rows_of(changed if name == "trino" else engine(order(1)), buckets),
    )
    assert [told.partition(", and no rule")[0] for told in unknown] == [
        "mysql: ids 0 to 15: orders 2 are not as the ledger has them",
        "trino: ids 0 to 15: orders 1, 2 are not as the ledger has them",
        "trino: ids 0 to 15: orders 1 are not as in the database",
    ]


def test_engines_that_disagree_on_one_hash_are_reported_and_both_opened() -> None:
    right, short = engine(order(1), order(2)), engine(order(1))
    tables, across, opened = run(ledger(expected(1), expected(2)), {"trino": right, "flink": short})
    assert [claim.violations > 0 for claim in across if "agree" in claim.claim] == [True]
    assert {table.engine for table in tables if table.findings} == {"flink"}
    assert opened == ["trino", "flink"]


def test_engines_with_equal_digests_are_opened_once_and_judged_alike() -> None:
    short = engine(order(1))
    tables, across, opened = run(ledger(expected(1), expected(2)), {"trino": short, "flink": short})
    assert opened == ["trino"]
    assert {table.engine for table in tables if table.findings} == {"trino", "flink"}
    assert [claim.violations for claim in across if "agree" in claim.claim] == [0]


def test_an_empty_ledger_makes_every_row_a_phantom() -> None:
    assert {found[1] for found in wrong(ledger(), engine(order(1)))} == {"phantom"}


def others(number: int) -> Order:
    """An order of somebody else's shopper."""
    return replace(order(number), client_key=f"theirs-{number}")


def test_an_order_that_the_ledger_never_saw_is_phantom_where_the_ledger_is_whole() -> None:
    found = wrong(ledger(expected(1)), engine(order(1), others(2)))
    assert ("orders", "phantom", "theirs-2") in found


def test_an_order_of_somebody_else_is_counted_and_not_judged_where_the_ledger_is_not_whole() -> None:
    everything = engine(order(1), others(2), others(40), events={77: 2})  # 77: theirs, deleted
    shown = {name: Shown(NOW_US, digests(everything), ()) for name in ("mysql", "trino", "flink")}
    tables, _, unknown = compare(
        ledger(expected(1)), shown, WIDTH, lambda name, buckets: rows_of(everything), whole=False
    )
    assert unknown == []
    assert [table.findings for table in tables if table.findings] == []
    assert {(table.engine, table.table): table.not_ours for table in tables} == {
        (name, table): count
        for name in shown
        for table, count in (("orders", 2), ("order_items", 4), ("order_events", 4))
    }


def test_our_own_orders_are_judged_all_the_same_beside_somebody_elses() -> None:
    changed = replace(order(1), total="99.00")
    found = engine(changed, others(3), events={2: 1})
    shown = {"trino": Shown(NOW_US, digests(found), ())}
    tables, _, _ = compare(
        ledger(expected(1), expected(2)), shown, WIDTH, lambda name, buckets: rows_of(found), whole=False
    )
    assert {(one.table, one.wrong.value, one.key) for table in tables for one in table.findings} == {
        ("orders", "phantom", "k1"),
        ("orders", "lost", "k2"),
        ("order_items", "lost", "k2 line 1"),
        ("order_items", "lost", "k2 line 2"),
    }
