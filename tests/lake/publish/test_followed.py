"""A state that was chosen once is chosen anew after whatever may change it."""

from dataclasses import replace

from lakeproof.lake.publish.cut import choose_cut, lagging
from lakeproof.lake.publish.followed import Followed
from lakeproof.lake.publish.snapshots import Kind, Snapshot

Seen = dict[str, list[Snapshot]]


def snapshot(number: int, checkpoint: int, kind: Kind = Kind.APPEND, rows: int = 0) -> Snapshot:
    return Snapshot(number, checkpoint, kind, 0, rows, 10, "job", 1000 * number)


def two(orders: list[Snapshot], items: list[Snapshot]) -> Seen:
    return {"orders": orders, "items": items}


def test_what_was_chosen_is_what_is_chosen_anew_after_every_change() -> None:
    first = snapshot(1, 1)
    looks: list[tuple[Seen, dict[str, bool]]] = [
        (two([], []), {}),
        (two([first], [first]), {"orders": True, "items": True}),
        # Begun in one table, then in the other too.
        (two([first, snapshot(2, 2)], [first]), {"orders": True, "items": True}),
        (two([first, snapshot(2, 2)], [first, snapshot(2, 2)]), {"orders": True, "items": True}),
        # The same ids and checkpoints, by another writer; then made anew from the first one on.
        (two([first, replace(snapshot(2, 2), writer="new")], [first, snapshot(2, 2)]), {
            "orders": True, "items": True}),
        (two([replace(first, writer="new")], [first, snapshot(2, 2)]), {"orders": True, "items": True}),
        # Rolled back to what it was.
        (two([first], [first]), {"orders": True, "items": True}),
        # Rows that readers do not see, until they are compacted; then by a schema without a key, where they see them.
        (two([first, snapshot(2, 2, rows=3)], [first, snapshot(2, 2)]), {"orders": True, "items": True}),
        (two([first, snapshot(2, 2, rows=3), snapshot(3, 2, Kind.COMPACT)], [first, snapshot(2, 2)]), {
            "orders": True, "items": True}),
        (two([first, replace(snapshot(2, 2, rows=3), schema_id=1)], [first, snapshot(2, 2)]), {
            "orders": False, "items": True}),
        # A further table, without a snapshot yet and then with one.
        (two([first], [first]) | {"new": []}, {"orders": True, "items": True}),
        (two([first], [first]) | {"new": [first]}, {"orders": True, "items": True, "new": True}),
    ]  # fmt: skip
    followed = Followed(None, "oltp")
    chosen = set()
    for seen, keyed in looks:
        for _ in range(2):
            found = followed.chosen(seen, keyed)
            assert found == (choose_cut(seen, keyed), lagging(seen, keyed))
        chosen.add((found[0].checkpoint if found[0] else None, found[1]))
    assert len(chosen) >= 5  # the looks do differ in what is chosen
