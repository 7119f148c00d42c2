import asyncio
import json
from collections.abc import Sequence
from typing import cast

import pytest

from lakeproof.deadline import Deadline
from lakeproof_shop.projector import projection as projecting
from lakeproof_shop.projector import statements
from lakeproof_shop.projector.metrics import ProjectorMetrics
from lakeproof_shop.projector.projection import Projection
from lakeproof_shop.serving.database.cassandra import Ring, Statement, WriteUnclear
from lakeproof_shop.serving.event_consumer import Record


class Newest:
    """A ring that keeps, as Cassandra does, the write with the highest timestamp. `troubles`: writes that fail."""

    def __init__(self, troubles: int = 0) -> None:
        self.rows: dict[tuple[object, object], tuple[int, object]] = {}
        self.covered: dict[object, int] = {}
        self.aside: list[tuple[object, ...]] = []
        self.order: list[Statement] = []
        self.troubles = troubles

    async def write_all(self, parts: Sequence[tuple[Statement, Sequence[object]]], deadline: Deadline) -> None:
        for statement, values in parts:
            if self.troubles:
                self.troubles -= 1
                raise WriteUnclear("no answer")
            self._write(statement, values)

    def _write(self, statement: Statement, values: Sequence[object]) -> None:
        self.order.append(statement)
        if statement is statements.UPSERT:
            self._keep((values[0], values[1]), int(str(values[-1])), values[5])
        elif statement is statements.DELETE:
            self._keep((values[1], values[2]), int(str(values[0])), None)
        elif statement is statements.SET_COVERED:
            self.covered[values[1]] = max(int(str(values[2])), self.covered.get(values[1], 0))
        else:
            self.aside.append(tuple(values))

    def _keep(self, key: tuple[object, object], stamp: int, content: object) -> None:
        if stamp >= self.rows.get(key, (-1, None))[0]:
            self.rows[key] = (stamp, content)

    def versions(self) -> dict[tuple[object, object], object]:
        return {key: content for key, (_, content) in self.rows.items() if content is not None}


def order(number: int, version: int, op: str = "upsert") -> bytes:
    said = {
        "op": op,
        "customer_id": 5,
        "id": number,
        "status": "paid",
        "total": "1.00",
        "item_count": 1,
        "version": version,
        "created_at": "2026-11-24T14:43:53Z",
        "updated_at": "2026-11-24T14:43:53Z",
        "ts_us": None,
    }
    return json.dumps(said).encode()


def beat(at_us: int) -> bytes:
    return json.dumps({"op": "beat", "beat_us": at_us}).encode()


def records(*values: bytes, partition: int = 0) -> list[Record]:
    return [Record("results.orders_by_customer", partition, place, value) for place, value in enumerate(values)]


def made(ring: Newest) -> tuple[Projection, ProjectorMetrics]:
    metrics = ProjectorMetrics()
    return Projection(cast(Ring, ring), metrics), metrics


def count(metrics: ProjectorMetrics, outcome: str) -> float:
    return metrics.records.labels(outcome)._value.get()  # type: ignore[no-any-return]


async def test_every_order_of_arrival_ends_in_the_same_projection() -> None:
    history = [order(1, 1), order(1, 2), order(2, 1), order(2, 1, "delete"), order(3, 1), order(3, 2)]
    for arrival in (history, history[::-1], history[3:] + history[:3], history * 2, history + history[:2]):
        for size in (1, 2, len(arrival)):
            ring = Newest()
            projection, _ = made(ring)
            for start in range(0, len(arrival), size):
                await projection.take(records(*arrival[start : start + size]))
            assert ring.versions() == {(5, 1): 2, (5, 3): 2}


async def test_poison_is_set_aside_with_its_place_and_the_rest_of_the_batch_is_written() -> None:
    ring = Newest()
    projection, metrics = made(ring)
    await projection.take(records(b"rubbish", order(1, 1)))
    assert ring.versions() == {(5, 1): 1}
    assert [(each[0], each[1], each[2], each[4]) for each in ring.aside] == [
        ("results.orders_by_customer", 0, 0, b"rubbish")
    ]
    assert count(metrics, "poison") == 1


async def test_what_is_covered_is_told_only_after_the_rows_before_it() -> None:
    ring = Newest()
    projection, metrics = made(ring)
    await projection.take(records(beat(5), order(1, 1), beat(9), order(2, 1)) + records(beat(7), partition=1))
    assert ring.order[-2:] == [statements.SET_COVERED, statements.SET_COVERED]
    assert ring.covered == {0: 9, 1: 7}
    assert count(metrics, "beat") == 3


async def test_an_unclear_write_is_repeated_until_the_ring_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projecting, "AGAIN_SECONDS", 0.01)
    ring = Newest(troubles=4)
    projection, _ = made(ring)
    await projection.take(records(order(1, 1), order(2, 1)))
    assert ring.versions() == {(5, 1): 1, (5, 2): 1}
    assert projection.problem == ""


async def test_while_the_ring_is_away_nothing_is_done_and_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projecting, "AGAIN_SECONDS", 0.01)
    ring = Newest(troubles=10**9)
    projection, _ = made(ring)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await projection.take(records(order(1, 1), beat(3)))
    assert (projection.problem, ring.covered) == ("no answer", {})


async def test_a_replay_and_what_is_outdated_within_a_batch_are_counted() -> None:
    projection, metrics = made(Newest())
    await projection.take(records(order(1, 1), order(1, 2)))
    await projection.take(records(order(1, 2)))
    assert [count(metrics, each) for each in ("written", "superseded", "replayed")] == [1, 1, 1]
