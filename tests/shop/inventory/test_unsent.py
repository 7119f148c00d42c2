"""What is kept in memory of the events that Kafka does not have, and what is left to be read."""

import random

import pytest

from lakeproof_shop.services.inventory import unsent
from lakeproof_shop.services.inventory.unsent import UnsentEvents
from lakeproof_shop.serving.database.cassandra import Row


def events(first: int, last: int) -> list[Row]:
    return [(number, None, "") for number in range(first, last + 1)]


def numbers(kept: UnsentEvents, sku: str) -> list[int]:
    return [row[0] for row in kept.next(sku, 1_000_000)]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> UnsentEvents:
    """Room for 12 in all, 8 of one SKU."""
    monkeypatch.setattr(unsent, "KEPT", 12)
    monkeypatch.setattr(unsent, "KEPT_OF_ONE", 8)
    return UnsentEvents()


def test_of_each_sku_and_of_all_there_is_an_end_to_what_is_kept(small: UnsentEvents) -> None:
    small.add("a", events(1, 100))
    small.add("b", events(1, 100))
    small.add("c", events(1, 1))
    assert [numbers(small, sku) for sku in "abc"] == [list(range(1, 9)), [1, 2, 3, 4], []]
    assert (small.room, [small.left(sku) for sku in "abc"]) == (0, [100, 100, 1])


def test_what_had_no_room_is_to_be_read_once_there_is_some(small: UnsentEvents) -> None:
    small.add("a", events(1, 20))
    assert small.behind(4) == []
    small.note_sent("a", 4)
    small.add("a", events(21, 21))  # nothing overtakes what was left
    assert (numbers(small, "a"), small.behind(4), small.end("a")) == ([5, 6, 7, 8], ["a"], 8)
    small.add_read("a", events(9, 12))
    assert numbers(small, "a") == [5, 6, 7, 8, 9, 10, 11, 12]
    small.note_sent("a", 12)
    small.add_read("a", events(13, 16))
    small.note_sent("a", 16)
    small.add_read("a", events(17, 21))
    assert (numbers(small, "a"), small.behind(4)) == ([17, 18, 19, 20, 21], [])


def test_a_gap_is_another_instance_s_until_the_partition_says_that_it_was_left(small: UnsentEvents) -> None:
    small.add("a", [*events(1, 1), *events(3, 3)])
    assert (numbers(small, "a"), small.behind(4)) == ([1], [])
    small.learn("a", 3, 1)
    assert (numbers(small, "a"), small.behind(4)) == ([], ["a"])
    small.add_read("a", [])  # not to be seen yet: not asked for again at once
    assert small.behind(4) == []


def test_what_another_instance_sent_is_dropped(small: UnsentEvents) -> None:
    small.add("a", events(1, 5))
    small.learn("a", 9, 3)
    assert numbers(small, "a") == [4, 5]
    small.learn("a", 9, 9)
    assert (numbers(small, "a"), small.room, small.left("a")) == ([], 12, 0)
    small.add("a", events(10, 10))
    assert numbers(small, "a") == [10]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_between_each_sku_s_events_go_in_order_and_none_is_lost(
    small: UnsentEvents, seed: int
) -> None:
    chance = random.Random(seed)
    written = dict.fromkeys("abcd", 0)
    taken: dict[str, list[int]] = {sku: [] for sku in written}

    def write() -> None:
        for sku in written:
            first, written[sku] = written[sku] + 1, written[sku] + chance.randint(0, 4)
            if chance.random() < 0.8:  # else by somebody else
                small.add(sku, events(first, written[sku]))

    def read() -> None:
        for sku in small.behind(4):
            if small.room >= 4:
                start = small.end(sku) + 1
                small.add_read(sku, events(start, min(start + 3, written[sku])))

    def send() -> None:
        share = chance.random()
        for sku in small.skus:
            rows = [row[0] for row in small.next(sku, 4)]
            some = rows[: round(share * len(rows))]
            taken[sku] += some
            small.note_sent(sku, some[-1] if some else 0)

    for _ in range(200):
        chance.choice([write, read, send])()
        assert sum(len(numbers(small, sku)) for sku in written) + small.room == 12
    for _ in range(1_000):
        for sku, count in written.items():
            small.learn(sku, count, 0)
        read()
        send()
    assert taken == {sku: list(range(1, count + 1)) for sku, count in written.items()}
