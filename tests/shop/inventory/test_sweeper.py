"""The sweeper: what is over ends once, however it is over, and nothing that is held is forgotten."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest
from tests.shop.inventory.ring_double import OneSku

from lakeproof.deadline import Deadline
from lakeproof_shop.services.inventory import statements
from lakeproof_shop.services.inventory.metrics import InventoryMetrics
from lakeproof_shop.services.inventory.models import Change, Op
from lakeproof_shop.services.inventory.store import InventoryStore
from lakeproof_shop.services.inventory.sweeper import Sweeper, Ttl
from lakeproof_shop.serving.database.cassandra import Ring, Row, Statement
from lakeproof_shop.serving.database.errors import DatabaseDown

SKU = "sku-1"


class HeldClock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def go_on(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class SweptSku(OneSku):
    """With the tables beside the stock: which reservations are there, and the table's TTL. One clock for all."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = HeldClock()
        self.now(1, 100, 0, 0, 0, 0)
        self.due: dict[UUID, int] = {}
        self.reservations: set[UUID] = set()
        self.table_ttl = 900
        self.swept = 0

    async def read(self, statement: Statement, values: Sequence[Any], deadline: Deadline) -> list[Row]:
        if statement is statements.ALL_TOTALS:
            return [(SKU, *self.totals, 0, self.swept)]
        if statement is statements.DUE:
            return [(n, id_) for id_, n in self.due.items() if values[1] < n <= values[2]]
        if statement is statements.TABLE_TTL:
            return [(self.table_ttl,)]
        if statement is statements.WHICH_RESERVATIONS:
            return [(id_,) for id_ in values[0] if id_ in self.reservations]
        return await super().read(statement, values, deadline)

    async def write(self, statement: Statement, values: Sequence[Any], deadline: Deadline) -> None:
        assert statement is statements.MARK_SWEPT
        self.swept = values[0]

    def _apply(self, parts: Any) -> bool:
        applied = super()._apply(parts)
        for statement, values in parts:
            if applied and statement is statements.ADD_DUE:
                self.due[values[3]] = values[2]
        return applied


class Shop:
    """A store and its sweeper on one SKU; another pair on the same SKU is another instance."""

    def __init__(self, ring: SweptSku) -> None:
        self.ring, self.metrics = ring, InventoryMetrics()
        self.store = InventoryStore(cast(Ring, ring), self.metrics, 900, ring.clock)
        self.sweeper = Sweeper(cast(Ring, ring), self.store, self.metrics, Ttl(900, 300), ring.clock)

    async def do(self, op: Op, number: int, *, ttl: float = 900.0) -> str:
        """One change of reservation `number`, made now."""
        made = self.ring.clock.now
        change = Change(op, UUID(int=number), 1, "digest", made, made + timedelta(seconds=ttl))
        if op is Op.HOLD:
            self.ring.reservations.add(change.id)
        decision = await self.store.submit(SKU, change, Deadline(5.0))
        return decision.refused or ("replayed" if decision.replayed else "done")

    @property
    def expired(self) -> float:
        return float(self.metrics.expired._value.get())


async def test_what_is_past_its_time_goes_back_once_though_two_instances_look() -> None:
    ring = SweptSku()
    one, two = Shop(ring), Shop(ring)
    for number in range(1, 11):
        await one.do(Op.HOLD, number, ttl=10 if number <= 6 else 900)
    ring.clock.go_on(10)
    found = await asyncio.gather(one.sweeper.sweep(), two.sweeper.sweep())
    assert sum(found) == one.expired + two.expired == 6
    assert (ring.totals[3], ring.totals[4]) == (4, 4)
    assert sum(await asyncio.gather(one.sweeper.sweep(), two.sweeper.sweep())) == 0


async def test_what_was_sold_or_released_is_left_alone() -> None:
    shop = Shop(SweptSku())
    for number in (1, 2, 3):
        await shop.do(Op.HOLD, number, ttl=10)
    await shop.do(Op.CONFIRM, 1)
    await shop.do(Op.RELEASE, 2)
    shop.ring.clock.go_on(10)
    assert await shop.sweeper.sweep() == 1
    assert shop.ring.totals[1:5] == [100, 1, 0, 0]


async def test_a_reservation_that_vanished_under_a_short_ttl_goes_back_and_others_stay() -> None:
    ring = SweptSku()
    shop = Shop(ring)
    await shop.do(Op.HOLD, 1)
    await shop.do(Op.HOLD, 2)
    ring.clock.go_on(30)
    ring.reservations.discard(UUID(int=1))
    assert await shop.sweeper.sweep() == 0  # nobody has shortened anything: not looked for yet
    ring.table_ttl = 20
    assert await shop.sweeper.sweep() == 1
    assert not shop.store.ttl_is_trusted
    ring.table_ttl = 900
    ring.reservations.discard(UUID(int=2))
    assert await shop.sweeper.sweep() == 1  # made while it was short
    assert shop.store.ttl_is_trusted


async def test_a_process_that_starts_anew_finds_what_the_one_before_it_left() -> None:
    ring = SweptSku()
    before = Shop(ring)
    await before.do(Op.HOLD, 1, ttl=10)
    ring.clock.go_on(10)
    after = Shop(ring)
    assert await after.sweeper.sweep() == 1


async def test_how_far_all_is_over_is_noted_and_never_beyond_a_held_line() -> None:
    ring = SweptSku()
    shop = Shop(ring)
    await shop.do(Op.HOLD, 1)
    await shop.sweeper.sweep()
    assert 0 < ring.swept < min(ring.due.values())


async def test_an_undone_hold_that_a_retry_holds_again_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    # each look is one at all that is due
    monkeypatch.setattr("lakeproof_shop.services.inventory.sweeper.WHOLE_SECONDS", 0.0)
    shop = Shop(SweptSku())
    await shop.do(Op.HOLD, 1, ttl=10)
    await shop.do(Op.UNDO, 1, ttl=10)
    await shop.do(Op.HOLD, 2)
    await shop.sweeper.sweep()  # finds that the first was due, and no line
    await shop.do(Op.HOLD, 1, ttl=10)
    shop.ring.clock.go_on(10)
    assert await shop.sweeper.sweep() == 1


async def test_an_undone_hold_that_seemed_to_have_vanished_is_found_when_a_retry_holds_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lakeproof_shop.services.inventory.sweeper.WHOLE_SECONDS", 0.0)
    monkeypatch.setattr("lakeproof_shop.services.inventory.sweeper.CHECK_SECONDS", 0.0)
    shop = Shop(SweptSku())
    await shop.do(Op.HOLD, 1, ttl=10)
    await shop.do(Op.HOLD, 2)
    await shop.sweeper.sweep()
    await shop.do(Op.UNDO, 1, ttl=10)
    shop.ring.reservations.discard(UUID(int=1))
    assert await shop.sweeper.sweep() == 0
    await shop.do(Op.HOLD, 1, ttl=10)
    shop.ring.clock.go_on(10)
    assert await shop.sweeper.sweep() == 1


class SlowAndDown(SweptSku):
    """Two SKUs: the due lines of one cannot be read, and those of the other take a moment. Counts who reads them."""

    reading = 0

    async def read(self, statement: Statement, values: Sequence[Any], deadline: Deadline) -> list[Row]:
        if statement is statements.ALL_TOTALS:
            return [(sku, 1, 100, 0, 1, 1, 0, 0, 0) for sku in ("down", "slow")]
        if statement is statements.DUE and values[0] == "down":
            raise DatabaseDown("no node of the ring answers")
        if statement is statements.DUE:
            self.reading += 1
            await asyncio.sleep(0.01)
            self.reading -= 1
        return await super().read(statement, values, deadline)


async def test_a_sweep_that_fails_has_ended_as_a_whole_before_the_next_begins() -> None:
    ring = SlowAndDown()
    with pytest.raises(DatabaseDown):
        await Shop(ring).sweeper.sweep()
    assert ring.reading == 0


@pytest.mark.parametrize("many", [1200])
async def test_many_that_end_at_once_do_not_fill_the_queue(many: int) -> None:
    shop = Shop(SweptSku())
    shop.ring.now(1, 5000, 0, 0, 0, 0)
    for start in range(0, many, 400):
        await asyncio.gather(*(shop.do(Op.HOLD, number + 1, ttl=10) for number in range(start, start + 400)))
    shop.ring.clock.go_on(10)
    sweeps = [await shop.sweeper.sweep() for _ in range(3)]
    assert (sum(sweeps), shop.ring.totals[3]) == (many, 0)
    assert max(sweeps) <= 500
