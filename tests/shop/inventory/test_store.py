"""What the store puts together of several SKUs and tables, on tables in memory."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

import pytest
from tests.shop.inventory.ring_double import OneSku, as_read

from lakeproof.deadline import Deadline
from lakeproof_shop.services.inventory import statements
from lakeproof_shop.services.inventory.metrics import InventoryMetrics
from lakeproof_shop.services.inventory.models import InventoryRefused
from lakeproof_shop.services.inventory.requests import ReservationRequest
from lakeproof_shop.services.inventory.store import InventoryStore
from lakeproof_shop.serving.database.cassandra import Ring, Row, Statement, WriteUnclear
from lakeproof_shop.serving.database.errors import CommitUnclear


class Tables:
    """Some SKUs and the tables of requests and reservations. `refuses`: writes of this statement fail."""

    def __init__(self, *skus: str, units: int = 10) -> None:
        self.skus = {sku: OneSku() for sku in skus}
        for one in self.skus.values():
            one.now(1, units, 0, 0, 0, 0)
        self.requests: dict[UUID, Row] = {}
        self.reservations: set[UUID] = set()
        self.refuses: Statement | None = None

    def totals(self, sku: str) -> tuple[int | None, ...]:
        """received, sold, reserved, active"""
        return tuple(self.skus[sku].totals[1:5])

    async def read(self, statement: Statement, values: Sequence[Any], deadline: Deadline) -> list[Row]:
        await asyncio.sleep(0)
        if statement is statements.FIND_REQUEST:
            return [self.requests[values[0]]] if values[0] in self.requests else []
        if statement is statements.WHICH_RESERVATIONS:
            return [(id_,) for id_ in values[0] if id_ in self.reservations]
        return await self.skus[values[0]].read(statement, values, deadline)

    async def write(self, statement: Statement, values: Sequence[Any], deadline: Deadline) -> None:
        await asyncio.sleep(0)
        if statement is self.refuses:
            raise WriteUnclear("no answer")
        assert statement is statements.ADD_RESERVATION
        self.reservations.add(values[0])

    async def write_once(self, statement: Statement, values: Sequence[Any], deadline: Deadline) -> Row | None:
        await asyncio.sleep(0)
        if statement is self.refuses:
            raise WriteUnclear("no answer")
        assert statement is statements.ADD_REQUEST
        there = self.requests.get(values[0])
        self.requests.setdefault(values[0], tuple(as_read(value) for value in values))
        return there

    async def decide(self, parts: Any, deadline: Deadline) -> bool:
        (sku,) = {values[6] for statement, values in parts if statement is statements.SET_TOTALS}
        return await self.skus[sku].decide(parts, deadline)


def store_on(tables: Tables) -> InventoryStore:
    return InventoryStore(cast(Ring, tables), InventoryMetrics(), 900)


def wants(**quantities: int) -> ReservationRequest:
    lines = [{"sku": sku, "quantity": units} for sku, units in quantities.items()]
    return ReservationRequest.model_validate({"order_key": "order-1", "lines": lines})


async def test_where_one_sku_is_short_nothing_is_held_and_a_retry_may_succeed() -> None:
    tables = Tables("a", "b")
    store = store_on(tables)
    with pytest.raises(InventoryRefused) as refused:
        await store.reserve(wants(a=2, b=11), "key-1", Deadline(5))
    assert (refused.value.why, refused.value.sku) == ("out_of_stock", "b")
    assert tables.totals("a") == tables.totals("b") == (10, 0, 0, 0)
    await store.receive("b", 1, "more", Deadline(5))
    made, replayed = await store.reserve(wants(a=2, b=11), "key-1", Deadline(5))
    assert (made.state, replayed) == ("held", False)


async def test_where_a_retry_is_refused_what_the_call_before_it_held_is_taken_back() -> None:
    tables = Tables("a", "b")
    tables.skus["b"].plan = ["drop"] * 100
    with pytest.raises(CommitUnclear):
        await store_on(tables).reserve(wants(a=2, b=10), "key-1", Deadline(0.2))
    assert tables.totals("a") == (10, 0, 2, 1)
    tables.skus["b"].plan = []
    store = store_on(tables)  # a process that knows nothing of it
    await store.reserve(wants(b=1), "key-2", Deadline(5))
    refusals = await asyncio.gather(
        *(store.reserve(wants(a=2, b=10), "key-1", Deadline(5)) for _ in range(2)), return_exceptions=True
    )
    assert [one.why for one in refusals if isinstance(one, InventoryRefused)] == ["out_of_stock"] * 2
    assert (tables.totals("a"), tables.totals("b")) == ((10, 0, 0, 0), (10, 0, 1, 1))
    await store.receive("b", 1, "more", Deadline(5))
    made, replayed = await store.reserve(wants(a=2, b=10), "key-1", Deadline(5))
    assert (made.state, replayed) == ("held", False)
    assert (tables.totals("a"), tables.totals("b")) == ((10, 0, 2, 1), (11, 0, 11, 2))


async def cut_off_half_way(tables: Tables) -> UUID:
    """A confirmation that got no answer of the second SKU; gives its reservation."""
    store = store_on(tables)
    made, _ = await store.reserve(wants(a=1, b=1), "key-1", Deadline(5))
    tables.skus["b"].plan = ["drop"] * 100
    with pytest.raises(CommitUnclear):
        await store.confirm(made.id, Deadline(0.2))
    tables.skus["b"].plan = []
    return made.id


async def test_where_a_retry_of_a_confirmation_is_refused_what_the_call_before_it_sold_is_taken_back() -> None:
    tables = Tables("a", "b", units=1)
    reservation = await cut_off_half_way(tables)
    tables.skus["b"].lines[reservation][0] = "expired"
    tables.skus["b"].now(9, 1, 1, 0, 0, 0)  # meanwhile somebody else bought it
    with pytest.raises(InventoryRefused) as refused:
        await store_on(tables).confirm(reservation, Deadline(5))
    assert refused.value.why == "reservation_expired"
    assert (tables.totals("a"), tables.totals("b")) == ((1, 0, 0, 0), (1, 1, 0, 0))


async def test_a_confirmation_that_was_cut_off_half_way_is_completed_by_its_retry() -> None:
    tables = Tables("a", "b")
    reservation = await cut_off_half_way(tables)
    assert (tables.totals("a"), tables.totals("b")) == ((10, 1, 0, 0), (10, 0, 1, 1))
    done, _ = await store_on(tables).confirm(reservation, Deadline(5))
    assert done.state == "confirmed"
    assert tables.totals("a") == tables.totals("b") == (10, 1, 0, 0)


async def test_a_confirmation_that_was_cut_off_half_way_may_be_released() -> None:
    tables = Tables("a", "b")
    released, _ = await store_on(tables).release(await cut_off_half_way(tables), Deadline(5))
    assert released.state == "released"
    assert tables.totals("a") == tables.totals("b") == (10, 0, 0, 0)


async def test_where_one_line_has_expired_and_is_gone_the_others_are_not_sold() -> None:
    tables = Tables("a", "b", units=1)
    store = store_on(tables)
    made, _ = await store.reserve(wants(a=1, b=1), "key-1", Deadline(5))
    tables.skus["b"].lines[made.id][0] = "expired"
    tables.skus["b"].now(9, 1, 1, 0, 0, 0)  # meanwhile somebody else bought it
    with pytest.raises(InventoryRefused) as refused:
        await store.confirm(made.id, Deadline(5))
    assert (refused.value.why, refused.value.sku) == ("reservation_expired", "b")
    assert (tables.totals("a"), tables.totals("b")) == ((1, 0, 0, 0), (1, 1, 0, 0))


async def test_a_key_belongs_to_one_request_whatever_sku_it_names() -> None:
    tables = Tables("a", "b")
    store = store_on(tables)
    await store.reserve(wants(a=1), "key-1", Deadline(5))
    await store.receive("a", 1, "key-1", Deadline(5))  # receipts have keys of their own
    for again in (store.reserve(wants(b=1), "key-1", Deadline(5)), store.receive("b", 1, "key-1", Deadline(5))):
        with pytest.raises(InventoryRefused) as refused:
            await again
        assert refused.value.why == "key_reused"
    assert tables.totals("b") == (10, 0, 0, 0)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["first", "second"])
async def test_of_two_requests_under_one_key_at_once_one_acts_and_the_other_holds_nothing(
    order: tuple[int, int],
) -> None:
    tables = Tables("a", "b", "c")
    instances, bodies = [store_on(tables), store_on(tables)], [wants(a=1, b=1), wants(a=2, c=1)]
    calls = (instances[one].reserve(bodies[one], "key-1", Deadline(5)) for one in order)
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [one.why for one in answers if isinstance(one, InventoryRefused)] == ["key_reused"], answers
    ((made, _),) = (one for one in answers if isinstance(one, tuple))
    units = {line.sku: line.quantity for line in made.lines}
    assert {sku: tables.totals(sku)[2] for sku in tables.skus} == {sku: units.get(sku, 0) for sku in tables.skus}
    sold, _ = await store_on(tables).confirm(made.id, Deadline(5))
    assert sold.state == "confirmed"
    assert {sku: tables.totals(sku)[1:] for sku in tables.skus} == {
        sku: (units.get(sku, 0), 0, 0) for sku in tables.skus
    }


class Dying:
    """An instance's way to the tables that ends with its process: at the call of that number and for ever after.

    `does_it`: the last call is done all the same, and only its answer is lost.
    """

    def __init__(self, tables: Tables, dies_at: int, *, does_it: bool) -> None:
        self.tables, self.left, self.does_it = tables, dies_at, does_it

    def __getattr__(self, name: str) -> Any:
        async def call(*values: Any) -> Any:
            self.left -= 1
            if self.left > 0 or (self.left == 0 and self.does_it):
                found = await getattr(self.tables, name)(*values)
            if self.left <= 0:
                raise WriteUnclear("its process is dead")
            return found

        return call


@pytest.mark.parametrize("does_it", [True, False], ids=["answer lost", "not sent"])
@pytest.mark.parametrize("dies_at", range(1, 8))
async def test_wherever_an_instance_dies_its_key_has_one_request_and_nothing_stays_held(
    dies_at: int, does_it: bool
) -> None:
    tables = Tables("a", "b", "c")
    dead = InventoryStore(cast(Ring, Dying(tables, dies_at, does_it=does_it)), InventoryMetrics(), 900)
    calls = (
        dead.reserve(wants(a=1, b=1), "key-1", Deadline(0.1)),
        store_on(tables).reserve(wants(a=2, c=1), "key-1", Deadline(5)),
    )
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert len([one for one in answers if isinstance(one, InventoryRefused)]) <= 1, answers
    # Whatever came of them: one of the two requests counts, and its retry succeeds elsewhere.
    again = await asyncio.gather(
        *(store_on(tables).reserve(body, "key-1", Deadline(5)) for body in (wants(a=1, b=1), wants(a=2, c=1))),
        return_exceptions=True,
    )
    assert [one.why for one in again if isinstance(one, InventoryRefused)] == ["key_reused"], again
    ((made, _),) = (one for one in again if isinstance(one, tuple))
    assert made.id in tables.reservations
    units = {line.sku: line.quantity for line in made.lines}
    assert {sku: tables.totals(sku)[2] for sku in tables.skus} == {sku: units.get(sku, 0) for sku in tables.skus}
    await store_on(tables).release(made.id, Deadline(5))
    assert {tables.totals(sku)[1:] for sku in tables.skus} == {(0, 0, 0)}


async def test_of_two_receipts_under_one_key_at_once_one_comes_in() -> None:
    tables = Tables("a", "b")
    calls = (store_on(tables).receive(sku, 1, "key-1", Deadline(5)) for sku in ("a", "b"))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [one.why for one in answers if isinstance(one, InventoryRefused)] == ["key_reused"], answers
    assert sorted(tables.totals(sku)[0] or 0 for sku in ("a", "b")) == [10, 11]


async def test_a_receipt_is_no_reservation() -> None:
    tables = Tables("a")
    store = store_on(tables)
    await store.receive("a", 1, "key-1", Deadline(5))
    (id_,) = tables.requests
    for call in (store.find, store.confirm, store.release):
        with pytest.raises(InventoryRefused) as refused:
            await call(id_, Deadline(5))
        assert refused.value.why == "not_found"


@pytest.mark.parametrize("refused", [statements.ADD_RESERVATION, statements.ADD_REQUEST], ids=["the row", "the key"])
async def test_what_a_retry_holds_has_its_reservation_whatever_was_cut_off_before_it(refused: Statement) -> None:
    tables = Tables("a")
    tables.refuses = refused
    with pytest.raises(CommitUnclear):
        await store_on(tables).reserve(wants(a=1), "key-1", Deadline(5))
    assert tables.totals("a") == (10, 0, 0, 0)
    tables.refuses = None
    made, _ = await store_on(tables).reserve(wants(a=1), "key-1", Deadline(5))
    assert (made.state, tables.reservations) == ("held", {made.id})
