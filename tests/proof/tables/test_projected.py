from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from lakeproof.proof.findings import Wrong
from lakeproof.proof.report import TableReport
from lakeproof_shop.proof.projected import Key, Order, Orders, compare_projection, orders_of

ORDER = Order("created", Decimal("1.50"), 1, 2, 10, 20)
CHANGED = replace(ORDER, status="paid", version=3)


@dataclass
class Sides:
    """Each look at a side gives the next of its states; the last one lasts."""

    databases: list[Orders]
    projections: list[Orders]
    covering: list[int] = field(default_factory=list)
    looks: int = 0

    def database(self, keys: Sequence[Key] | None = None) -> tuple[Orders, int]:
        self.looks += 1
        return _next(self.databases, keys), self.looks

    def projection(self, covering_us: int, keys: Sequence[Key] | None = None) -> Orders:
        self.covering.append(covering_us)
        return _next(self.projections, keys)


def _next(states: list[Orders], keys: Sequence[Key] | None) -> Orders:
    state = states.pop(0) if len(states) > 1 else states[0]
    return {key: order for key, order in state.items() if keys is None or key in keys}


def found(report: TableReport) -> list[tuple[Wrong, str]]:
    return [(finding.wrong, finding.key) for finding in report.findings]


def test_equal_sides_have_no_findings() -> None:
    report = compare_projection(Sides([{(1, 2): ORDER}], [{(1, 2): ORDER}]))
    assert (report.table, report.engine, report.rows, report.findings) == ("orders_by_customer", "cassandra", 1, ())


def test_what_is_lost_stale_phantom_or_of_another_content_is_named_by_its_key() -> None:
    database = {(1, 2): ORDER, (1, 3): CHANGED, (1, 4): ORDER}
    shown = {(1, 3): ORDER, (1, 4): replace(ORDER, total=Decimal("9.00")), (1, 5): ORDER}
    report = compare_projection(Sides([database], [shown]))
    assert found(report) == [
        (Wrong.LOST, "order 2 of customer 1"),
        (Wrong.STALE, "order 3 of customer 1"),
        (Wrong.PHANTOM, "order 4 of customer 1"),
        (Wrong.PHANTOM, "order 5 of customer 1"),
    ]


def test_what_traffic_changed_between_the_looks_is_no_finding() -> None:
    before = {(1, 2): ORDER, (1, 3): ORDER}
    shown = {(1, 2): CHANGED, (1, 4): ORDER}
    after = {(1, 2): CHANGED, (1, 4): ORDER}
    assert compare_projection(Sides([before, after], [shown])).findings == ()


def test_an_order_made_and_deleted_between_two_looks_is_no_phantom_if_it_goes() -> None:
    sides = Sides([{}, {}], [{(1, 2): ORDER}, {}])
    assert compare_projection(sides).findings == ()
    assert sides.covering == [1, 2]


def test_a_customer_that_changed_is_a_lost_and_a_phantom_order() -> None:
    report = compare_projection(Sides([{(2, 7): ORDER}], [{(1, 7): ORDER}]))
    assert found(report) == [
        (Wrong.PHANTOM, "order 7 of customer 1"),
        (Wrong.LOST, "order 7 of customer 2"),
    ]


PAID_AGAIN = replace(CHANGED, version=4)


def test_what_changed_between_two_looks_is_looked_at_a_third_time() -> None:
    """A row that the database kept changing was once left out without a word."""
    databases = [{(1, 2): ORDER}, {(1, 2): CHANGED}, {(1, 2): CHANGED}]
    report = compare_projection(Sides([*databases], [{}, {}]))
    assert (found(report), report.unsettled) == ([(Wrong.LOST, "order 2 of customer 1")], 0)
    report = compare_projection(Sides([*databases], [{}, {(1, 2): CHANGED}]))
    assert (found(report), report.unsettled) == ([], 0)


def test_what_changed_between_all_looks_is_counted() -> None:
    databases = [{(1, 2): ORDER}, {(1, 2): CHANGED}, {(1, 2): PAID_AGAIN}]
    report = compare_projection(Sides(databases, [{}]))
    assert (found(report), report.unsettled) == ([], 1)


def test_null_in_the_projection_is_another_content_and_no_error() -> None:
    database = {(1, 2): ORDER, (1, 3): ORDER}
    shown = {(1, 2): replace(ORDER, total=None), (1, 3): replace(ORDER, version=None)}
    assert found(compare_projection(Sides([database], [shown]))) == [
        (Wrong.PHANTOM, "order 2 of customer 1"),
        (Wrong.STALE, "order 3 of customer 1"),
    ]
    row = (1, 2, "created", None, 1, None, 10, 20)
    assert orders_of([row]) == {(1, 2): replace(ORDER, total=None, version=None)}
