"""The choice of one checkpoint over all tables."""

from dataclasses import replace

import pytest

from lakeproof.lake.publish.cut import (
    CARRIED_SECONDS,
    CARRIED_SNAPSHOTS,
    Cut,
    begins_after,
    choose_cut,
    choose_newest,
    lagging,
    moves_on,
    unchanged,
)
from lakeproof.lake.publish.snapshots import BATCH_IDENTIFIER, Kind, Snapshot


def snapshot(
    number: int, checkpoint: int, kind: Kind = Kind.COMPACT, *, delta: int = 5, writer: str = "job"
) -> Snapshot:
    return Snapshot(number, checkpoint, kind, 0, delta, 100, writer)


KEYED = {"orders": True, "events": False}


def chosen(tables: dict[str, list[Snapshot]]) -> Cut:
    cut = choose_cut(tables, KEYED)
    assert cut is not None
    return cut


def test_the_cut_is_the_newest_checkpoint_that_every_table_has() -> None:
    cut = chosen({"orders": [snapshot(1, 1), snapshot(2, 2)], "events": [snapshot(1, 1)]})
    assert (cut.checkpoint, cut.ids) == (1, {"orders": 1, "events": 1})


def test_rows_that_are_not_compacted_yet_are_left_for_the_next_look() -> None:
    cut = chosen(
        {"orders": [snapshot(1, 1), snapshot(2, 2, Kind.APPEND)], "events": [snapshot(1, 1), snapshot(2, 2)]}
    )
    assert cut.ids == {"orders": 1, "events": 1}


@pytest.mark.parametrize(
    ("later", "newest"),
    [
        ([snapshot(2, 2, Kind.APPEND, delta=0)], 2),
        ([snapshot(2, 2, Kind.OVERWRITE, delta=0)], 1),
        ([snapshot(2, BATCH_IDENTIFIER, Kind.APPEND, writer="x"), snapshot(3, 2, Kind.APPEND, delta=0)], 1),
        ([snapshot(2, BATCH_IDENTIFIER, Kind.ANALYZE, delta=0, writer="x"), snapshot(3, 2, Kind.APPEND, delta=0)], 3),
    ],
    ids=[
        "an empty append is readable at once",
        "an overwrite brings rows though it removes as many",
        "another writer's rows below an empty checkpoint are not readable",
        "statistics leave a state as readable as it was",
    ],
)
def test_the_newest_state_that_needs_no_compaction_is_taken(later: list[Snapshot], newest: int) -> None:
    assert chosen({"orders": [snapshot(1, 1), *later]}).ids == {"orders": newest}


def test_of_a_table_that_was_idle_for_as_long_as_is_known_the_audit_decides() -> None:
    cut = chosen({"orders": [snapshot(8, 8, Kind.APPEND, delta=0), snapshot(9, 9, Kind.APPEND, delta=0)]})
    assert cut.ids == {"orders": 9}


def test_a_table_without_a_key_is_readable_before_its_compaction() -> None:
    cut = chosen({"events": [snapshot(1, 1, Kind.APPEND)]})
    assert cut.ids == {"events": 1}


def test_a_table_without_snapshots_means_no_cut() -> None:
    assert choose_cut({"orders": [snapshot(1, 1)], "events": []}, KEYED) is None


def test_a_batch_statement_belongs_to_no_checkpoint_and_comes_with_the_next_one() -> None:
    seen = [snapshot(1, 1), snapshot(2, BATCH_IDENTIFIER, writer="somebody")]
    cut = chosen({"orders": seen})
    assert cut.ids == {"orders": 1}
    cut = chosen({"orders": [*seen, snapshot(3, 2)]})
    assert cut.ids == {"orders": 3}


def lone_append_of_43(*later: Snapshot) -> dict[str, list[Snapshot]]:
    """The TaskManager died between the two commits of checkpoint 43 in `orders`; 44 was never completed."""
    return {
        "orders": [snapshot(84, 42), snapshot(85, 43, Kind.APPEND, delta=109), *later],
        "events": [snapshot(42, 42, Kind.APPEND), snapshot(43, 43, Kind.APPEND), snapshot(44, 45, Kind.APPEND)],
    }


@pytest.mark.parametrize(
    ("later", "checkpoint", "orders"),
    [
        ([], 42, 84),
        ([snapshot(86, 45, Kind.APPEND, delta=3)], 42, 84),
        ([snapshot(86, 45, Kind.APPEND, delta=0)], 42, 84),
        ([snapshot(86, 45, Kind.APPEND, delta=3), snapshot(87, 45)], 45, 87),
        ([snapshot(86, 45, Kind.APPEND, delta=0), snapshot(87, 45)], 45, 87),
    ],
    ids=["nothing after it", "rows on top", "an empty checkpoint on top", "compacted with rows", "compacted alone"],
)
def test_an_append_whose_compaction_never_came_is_passed_over(
    later: list[Snapshot], checkpoint: int, orders: int
) -> None:
    cut = chosen(lone_append_of_43(*later))
    assert (cut.checkpoint, cut.ids["orders"]) == (checkpoint, orders)


def test_the_newest_checkpoint_that_is_readable_everywhere_is_taken_though_newer_ones_are_not() -> None:
    seen = {
        "orders": [snapshot(1, 1), snapshot(2, 2, Kind.APPEND), snapshot(3, 2), snapshot(4, 3, Kind.APPEND)],
        "items": [snapshot(1, 1), snapshot(2, 2), snapshot(3, 3, Kind.APPEND), snapshot(4, 4)],
    }
    cut = choose_cut(seen, {"orders": True, "items": True})
    assert cut is not None
    assert (cut.checkpoint, cut.ids) == (2, {"orders": 3, "items": 2})


def test_a_checkpoint_that_was_given_up_and_committed_in_some_tables_is_no_cut() -> None:
    # Flink gave up checkpoint 44. `orders` had written it already and commits it just before 45.
    seen = {"orders": [snapshot(1, 43), snapshot(2, 44)], "events": [snapshot(1, 43), snapshot(2, 45)]}
    cut = chosen(seen)
    assert (cut.checkpoint, cut.ids) == (43, {"orders": 1, "events": 1})


def test_only_the_tables_that_hold_the_cut_back_are_waited_for() -> None:
    seen = {
        "orders": [snapshot(1, 1), snapshot(2, 2, Kind.APPEND)],
        "events": [snapshot(1, 1), snapshot(2, 2, Kind.APPEND)],
        "items": [snapshot(1, 1)],
    }
    keyed = {"orders": True, "events": False, "items": False}
    assert lagging(seen, keyed) == {"orders", "items"}
    seen["items"].append(snapshot(2, 2))
    assert lagging(seen, keyed) == {"orders"}
    seen["orders"].append(snapshot(3, 2))
    assert lagging(seen, keyed) == set(seen)
    assert lagging(seen | {"new": []}, keyed) == {*seen, "new"}


def test_a_job_started_without_state_counts_from_one_and_is_followed() -> None:
    cut = chosen({"orders": [snapshot(8, 500, writer="old"), snapshot(9, 1, writer="new")]})
    assert (cut.checkpoint, cut.ids) == (1, {"orders": 9})
    assert moves_on(cut, {"orders": 8}, 500)


def test_nothing_moves_on_when_a_table_would_go_back() -> None:
    cut = chosen({"orders": [snapshot(4, 4)], "events": [snapshot(4, 4)]})
    assert not moves_on(cut, {"orders": 3, "events": 5}, 3)
    assert not moves_on(cut, {"orders": 4, "events": 4}, 4)
    assert moves_on(cut, {"orders": 3, "events": 3}, 3)


def test_the_same_checkpoint_is_not_published_twice_only_because_a_compaction_came() -> None:
    cut = chosen({"events": [snapshot(1, 1, Kind.APPEND), snapshot(2, 1)]})
    assert not moves_on(cut, {"events": 1}, 1)


def test_a_table_that_is_new_moves_on_at_the_same_checkpoint() -> None:
    cut = chosen({"events": [snapshot(1, 1)], "orders": [snapshot(1, 1)]})
    assert moves_on(cut, {"events": 1}, 1)


def test_without_the_cut_tables_may_stand_at_different_checkpoints() -> None:
    cut = choose_newest({"orders": [snapshot(9, 9)], "events": [snapshot(7, 7)]})
    assert cut is not None
    assert {table: chosen.checkpoint for table, chosen in cut.snapshots.items()} == {"orders": 9, "events": 7}


def test_a_checkpoint_has_begun_once_one_table_has_it() -> None:
    assert begins_after(1, [[snapshot(1, 1)], [snapshot(1, 1), snapshot(2, 2, Kind.APPEND)]])
    assert begins_after(None, [[snapshot(1, 1)], []])
    assert not begins_after(2, [[snapshot(1, 1)], [snapshot(2, 2)]])
    assert not begins_after(1, [[snapshot(1, BATCH_IDENTIFIER)], []])


def empty(number: int, checkpoint: int, seconds: float = 0.0) -> Snapshot:
    return replace(snapshot(number, checkpoint, Kind.APPEND, delta=0), at_ms=int(seconds * 1000))


def test_a_table_with_nothing_but_empty_snapshots_since_stays_as_it_is_published() -> None:
    orders = [snapshot(1, 1), snapshot(2, 2), empty(3, 3), empty(4, 4)]
    events = [snapshot(1, 1), snapshot(2, 4)]
    cut = Cut(4, {"orders": orders[-1], "events": events[-1]})
    assert unchanged(cut, {"orders": orders, "events": events}, {"orders": 2, "events": 1}) == {"orders": orders[1]}


@pytest.mark.parametrize(
    "later",
    [
        snapshot(3, 3, Kind.APPEND),
        snapshot(3, 3, Kind.COMPACT, delta=0),
        snapshot(3, 3, Kind.OVERWRITE, delta=0),
        replace(empty(3, 3), schema_id=1),
        replace(empty(3, 3), total_records=99),
        empty(3, 3, seconds=CARRIED_SECONDS + 1),
    ],
)
def test_a_table_moves_once_a_snapshot_since_is_not_empty_or_the_published_one_grows_old(later: Snapshot) -> None:
    orders = [snapshot(2, 2), later]
    assert unchanged(Cut(3, {"orders": later}), {"orders": orders}, {"orders": 2}) == {}


def test_a_table_moves_once_readers_might_no_longer_find_the_published_snapshot() -> None:
    orders = [snapshot(1, 1), *(empty(number, number) for number in range(2, CARRIED_SNAPSHOTS + 2))]
    for newest, stays in ((orders[-2], True), (orders[-1], False)):
        assert bool(unchanged(Cut(9, {"orders": newest}), {"orders": orders}, {"orders": 1})) is stays


def test_tables_at_rest_move_together_once_one_of_them_must() -> None:
    orders = [snapshot(1, 1), *(empty(number, number) for number in range(2, CARRIED_SNAPSHOTS + 2))]
    items = [snapshot(1, CARRIED_SNAPSHOTS - 1), *(empty(n, CARRIED_SNAPSHOTS - 2 + n) for n in (2, 3))]
    tables, published = {"orders": orders, "items": items}, {"orders": 1, "items": 1}
    before = Cut(CARRIED_SNAPSHOTS, {"orders": orders[-2], "items": items[-2]})
    assert unchanged(before, tables, published) == {"orders": orders[0], "items": items[0]}
    assert unchanged(Cut(CARRIED_SNAPSHOTS + 1, {"orders": orders[-1], "items": items[-1]}), tables, published) == {}


def test_a_table_with_new_rows_takes_none_with_it() -> None:
    orders = [snapshot(1, 1), empty(2, 2), empty(3, 3)]
    events = [snapshot(1, 1), *(snapshot(number, number) for number in range(2, 2 * CARRIED_SNAPSHOTS))]
    cut = Cut(3, {"orders": orders[-1], "events": events[-1]})
    assert unchanged(cut, {"orders": orders, "events": events}, {"orders": 1, "events": 1}) == {"orders": orders[0]}


def test_a_table_moves_where_the_published_snapshot_is_not_known() -> None:
    orders = [empty(5, 5), empty(6, 6)]
    assert unchanged(Cut(6, {"orders": orders[-1]}), {"orders": orders}, {"orders": 4}) == {}
    assert unchanged(Cut(6, {"orders": orders[-1]}), {"orders": orders}, {}) == {}
