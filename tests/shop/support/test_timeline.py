"""Timelines: merged in time, honest about what is missing, and never kept or served where they are not whole."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import orjson
import pytest
from aiohttp import web
from tests.shop.support.fake_redis import FakeRedis

from lakeproof.stack.settings import SupportSettings
from lakeproof_shop.services.support.cache import PAUSE_SECONDS, TimelineCache
from lakeproof_shop.services.support.metrics import SupportMetrics
from lakeproof_shop.services.support.models import Case, CaseEvent, Message
from lakeproof_shop.services.support.sources import Sources
from lakeproof_shop.services.support.timeline import Remote, SourceState, timeline_of
from lakeproof_shop.services.support.timelines import Timelines

ORDER = {
    "id": 17,
    "status": "paid",
    "total": "12.30",
    "item_count": 1,
    "version": 2,
    "created_at": "2026-11-24T12:00:00.000000Z",
    "updated_at": "2026-11-24T12:00:02.000000Z",
}
PAYMENT = {
    "id": 5,
    "status": "captured",
    "amount": "12.30",
    "captured": "12.30",
    "refunded": "0.00",
    "version": 2,
    "created_at": "2026-11-24T12:00:01.000000Z",
    "updated_at": "2026-11-24T12:00:03.000000Z",
}
PARCEL = {
    "id": 9,
    "tracking": "LP9",
    "hold_until": None,
    "events": [{"type": "requested", "version": 1, "at": "2026-11-24T12:00:04.000000Z"}],
}
CASE = Case(
    7, 3, 17, "Where is it?", "open", 1, "2026-11-24T12:00:05.000000Z", "2026-11-24T12:00:05.000000Z",
    (Message(1, "customer", "?", "2026-11-24T12:00:06.000000Z"),), (),
    (CaseEvent(1, "opened", "2026-11-24T12:00:05.000000Z"), CaseEvent(2, "message_added", "2026-11-24T12:00:06Z")),
)  # fmt: skip

type Answer = Callable[[], Awaitable[web.Response]]


def gives(body: object, status: int = 200) -> Answer:
    async def answer() -> web.Response:
        return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")

    return answer


async def hangs() -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


class Shop:
    """The three services on one port; `asked` counts."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {
            "orders": gives(ORDER),
            "payments": gives({"payments": [PAYMENT]}),
            "fulfillments": gives({"fulfillments": [PARCEL]}),
        }
        self.asked = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        return await self.answers[request.path.split("/")[1]]()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[dict[str, str]]:
        app = web.Application()
        app.router.add_get("/{path:.*}", self.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        address = cast(Any, site._server).sockets[0].getsockname()
        try:
            yield dict.fromkeys(("order", "payment", "fulfillment"), f"http://127.0.0.1:{address[1]}")
        finally:
            await runner.cleanup()


class Clock:
    """The machine's, set forward by `ahead`."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@asynccontextmanager
async def timelines(
    shop: Shop, redis: FakeRedis, seconds: float = 5.0, *, kept: float = 60.0, clock: Callable[[], float] = time.time
) -> AsyncIterator[Timelines]:
    metrics = SupportMetrics()
    async with shop.serving() as urls, Sources(urls, seconds, metrics) as sources:
        cache = TimelineCache(cast(Any, redis), metrics, ttl_seconds=kept, seconds=0.1, clock=clock)
        made = Timelines(sources, cache, metrics)
        yield made


def counted(timelines: Timelines, name: str, **labels: str) -> float:
    return timelines._metrics.registry.get_sample_value(name, labels) or 0.0


async def test_everything_that_happened_stands_in_the_order_of_time() -> None:
    async with timelines(Shop(), FakeRedis()) as asked:
        timeline = await asked.of(CASE)
    assert [entry.type for entry in timeline["entries"]] == [
        "order.created",
        "payment.authorized",
        "order.paid",
        "payment.captured",
        "fulfillment.requested",
        "case.opened",
        "case.message",
    ]
    assert (timeline["complete"], timeline["came_from"]) == (True, "remote")


async def test_a_whole_timeline_is_kept_and_reads_the_same() -> None:
    shop = Shop()
    async with timelines(shop, FakeRedis()) as asked:
        first, second = await asked.of(CASE), await asked.of(CASE)
    assert (first["came_from"], second["came_from"], shop.asked) == ("remote", "cache", 3)
    assert first["entries"] == second["entries"]


@pytest.mark.parametrize(
    ("answer", "stage", "why"),
    [
        (gives({"error": "x"}, 503), "http", "answered 503"),
        (hangs, "http", "no answer within 2 s"),
        (gives({"payments": [{"id": 5}]}), "aggregate", "not understood"),
        (gives([1, 2]), "aggregate", "not understood"),
        (gives({"payments": [PAYMENT | {"created_at": 7}]}), "aggregate", "not understood"),
    ],
)
async def test_a_source_that_fails_is_named_and_the_rest_is_served_and_not_kept(
    answer: Answer, stage: str, why: str
) -> None:
    shop = Shop()
    shop.answers["payments"] = answer
    async with timelines(shop, FakeRedis(), seconds=2.0 if answer is hangs else 5.0) as asked:
        partial = await asked.of(CASE)
        assert counted(asked, "support_timeline_collection_failures_total", stage=stage) == 1
        assert counted(asked, "support_timeline_source_failures_total", source="payment") == 1
        shop.answers["payments"] = gives({"payments": [PAYMENT]})
        whole = await asked.of(CASE)
    assert (partial["complete"], partial["sources"]["payment"].state) == (False, SourceState.MISSING)
    assert why in partial["sources"]["payment"].why
    assert {entry.source for entry in partial["entries"]} == {"order", "fulfillment", "support"}
    assert (whole["complete"], whole["came_from"]) == (True, "remote")


async def test_an_order_that_a_service_does_not_know_is_no_failure() -> None:
    shop = Shop()
    shop.answers["orders"] = gives({}, 404)
    async with timelines(shop, FakeRedis()) as asked:
        assert (await asked.of(CASE))["complete"] is True


async def test_a_source_that_is_switched_off_is_said_and_not_asked() -> None:
    metrics = SupportMetrics()
    async with Sources({"order": "", "payment": "", "fulfillment": ""}, 1.0, metrics) as sources:
        remote = await sources.collect(17)
    timeline = timeline_of(CASE, remote, "remote")
    assert timeline["complete"] is False
    assert {source.state for source in timeline["sources"].values()} == {SourceState.OFF}
    assert remote.is_whole  # nothing failed: it may be kept


async def test_a_change_is_not_served_stale_after_a_refresh() -> None:
    shop = Shop()
    async with timelines(shop, FakeRedis()) as asked:
        await asked.of(CASE)
        shop.answers["orders"] = gives(ORDER | {"status": "cancelled", "version": 3})
        assert (await asked.refresh(CASE))["entries"][2].type == "order.cancelled"
        shop.answers["orders"] = gives(ORDER | {"status": "paid", "version": 4})
        await asked._cache.invalidate(17)
        after = await asked.of(CASE)
    assert (after["came_from"], after["entries"][2].type) == ("remote", "order.paid")


async def test_what_was_collected_before_a_change_and_comes_after_it_is_never_served() -> None:
    shop, redis, go_on = Shop(), FakeRedis(), asyncio.Event()

    async def old_but_late() -> web.Response:
        await go_on.wait()
        return web.Response(body=orjson.dumps(ORDER))

    shop.answers["orders"] = old_but_late
    async with timelines(shop, redis) as asked:
        late = asyncio.create_task(asked.of(CASE))
        while shop.asked < 3:
            await asyncio.sleep(0)
            await asyncio.sleep(0.005)
        await asked._cache.invalidate(17)
        shop.answers["orders"] = gives(ORDER | {"status": "cancelled", "version": 3})
        go_on.set()
        await late
        after = await asked.of(CASE)
    assert (after["came_from"], after["entries"][2].type) == ("remote", "order.cancelled")


async def test_a_change_that_nobody_tells_of_is_seen_within_two_seconds() -> None:
    """Redis also gives a timeline that it should have forgotten."""
    shop, redis, clock = Shop(), FakeRedis(), Clock()
    kept = SupportSettings().timeline_cache_ttl_seconds
    async with timelines(shop, redis, kept=kept, clock=clock) as asked:
        await asked.of(CASE)
        shop.answers["orders"] = gives(ORDER | {"status": "cancelled", "version": 3})
        clock.ahead = 1.0
        before = await asked.of(CASE)
        clock.ahead = 2.0
        after = await asked.of(CASE)
    assert (before["came_from"], before["entries"][2].type) == ("cache", "order.paid")
    assert (after["came_from"], after["entries"][2].type) == ("remote", "order.cancelled")


async def test_a_timeline_s_time_begins_when_its_sources_begin_to_be_asked() -> None:
    shop, redis, clock = Shop(), FakeRedis(), Clock()

    async def slow() -> web.Response:
        clock.ahead += 15
        return web.Response(body=orjson.dumps({"payments": [PAYMENT]}))

    shop.answers["payments"] = slow
    async with timelines(shop, redis, kept=20.0, clock=clock) as asked:
        await asked.of(CASE)
        assert 0 < redis.lives["support:timeline:17"] <= 5_000
        await asked.refresh(CASE)  # the clock that is ahead is as good as a source that took 30 s
        assert redis.lives["support:timeline:17"] <= 5_000 and shop.asked == 6
        clock.ahead = 0.0
        assert (await asked.of(CASE))["came_from"] == "remote"


async def test_a_timeline_from_after_now_is_not_believed() -> None:
    """The clock was set back: nobody knows how old it is."""
    clock = Clock()
    async with timelines(Shop(), FakeRedis(), clock=clock) as asked:
        await asked.of(CASE)
        clock.ahead = -10.0
        assert (await asked.of(CASE))["came_from"] == "remote"


async def test_nobody_waits_for_a_collection_that_is_older_than_what_is_kept() -> None:
    shop, go_on = Shop(), asyncio.Event()

    async def old_but_late() -> web.Response:
        await go_on.wait()
        return web.Response(body=orjson.dumps(ORDER))

    shop.answers["orders"] = old_but_late
    async with timelines(shop, FakeRedis(), kept=0.05) as asked:
        late = asyncio.create_task(asked.of(CASE))
        while shop.asked < 3:
            await asyncio.sleep(0.005)
        shop.answers["orders"] = gives(ORDER | {"status": "cancelled", "version": 3})
        await asyncio.sleep(0.06)
        newer = await asked.of(CASE)
        go_on.set()
        older = await late
        assert asked._under_way == {}
    assert (newer["entries"][2].type, older["entries"][2].type) == ("order.cancelled", "order.paid")


async def test_sixteen_who_ask_at_once_share_one_collection() -> None:
    shop = Shop()
    async with timelines(shop, FakeRedis()) as asked:
        await asyncio.gather(*(asked.of(CASE) for _ in range(16)))
    assert shop.asked == 3


async def test_a_frozen_cache_costs_one_short_look_and_then_none() -> None:
    redis = FakeRedis()
    async with timelines(Shop(), redis) as asked:
        redis.frozen = True
        for _ in range(5):
            assert (await asked.of(CASE))["complete"] is True
        assert redis.looks == 1
        assert counted(asked, "support_timeline_cache_events_total", event="error") == 1
        assert counted(asked, "support_timeline_collection_failures_total", stage="cache") == 1
        assert counted(asked, "support_timeline_source_failures_total", source="cache") == 1


async def test_an_invalidation_that_a_frozen_cache_did_not_take_is_made_up_for_before_anything_is_served() -> None:
    shop, redis = Shop(), FakeRedis()
    async with timelines(shop, redis) as asked:
        await asked.of(CASE)
        redis.frozen = True
        shop.answers["orders"] = gives(ORDER | {"status": "cancelled", "version": 3})
        await asked.refresh(CASE)
        redis.frozen = False
        now = 0.0
        asked._cache._breaker._clock = lambda: now + 1e9 + PAUSE_SECONDS  # the pause is over
        after = await asked.of(CASE)
        assert counted(asked, "support_timeline_cache_events_total", event="invalidate") == 1
    assert (after["came_from"], after["entries"][2].type) == ("remote", "order.cancelled")


async def test_a_refresh_that_failed_is_not_forgotten_because_an_earlier_one_succeeds_late() -> None:
    shop, redis, clock = Shop(), FakeRedis(), Clock()
    async with timelines(shop, redis, clock=clock) as asked:
        await asked.of(CASE)
        taken, answered = asyncio.Event(), asyncio.Event()
        take = redis.set

        async def takes_and_answers_late(*args: Any, **more: Any) -> bool:
            await take(*args, **more)
            taken.set()
            return await answered.wait()

        redis.set = takes_and_answers_late  # type: ignore[method-assign]
        early = asyncio.create_task(asked._cache.invalidate(17))
        await taken.wait()
        redis.set = take  # type: ignore[method-assign]
        await asked.of(CASE)  # collected and kept between the two refreshes

        async def refuses(*_: Any, **__: Any) -> bool:
            raise ConnectionError

        redis.set = refuses  # type: ignore[method-assign]
        shop.answers["orders"] = gives(ORDER | {"status": "cancelled", "version": 3})
        assert await asked._cache.invalidate(17) is False
        redis.set = take  # type: ignore[method-assign]
        answered.set()
        assert await early is True
        after = await asked.of(CASE)
    assert (after["came_from"], after["entries"][2].type) == ("remote", "order.cancelled")


async def test_a_refresh_that_redis_did_not_take_is_forgotten_once_all_that_was_kept_is_too_old() -> None:
    redis, clock = FakeRedis(), Clock()
    redis.frozen = True
    async with timelines(Shop(), redis, kept=2.0, clock=clock) as asked:
        for order_id in range(10):
            assert await asked._cache.invalidate(order_id) is False
        assert len(asked._cache._refused) == 10
        clock.ahead = 2.5
        assert await asked._cache.invalidate(99) is False
        assert set(asked._cache._refused) == {99}


async def test_a_kept_timeline_that_cannot_be_read_is_collected_anew() -> None:
    redis = FakeRedis()
    async with timelines(Shop(), redis) as asked:
        await asked.of(CASE)
        generation = redis.values["support:timeline-generation:17"]
        redis.values["support:timeline:17"] = generation + b"\n{}"
        assert (await asked.of(CASE))["came_from"] == "remote"
        assert counted(asked, "support_timeline_collection_failures_total", stage="cache_decode") == 1
        assert counted(asked, "support_timeline_source_failures_total", source="cache") == 1


def test_a_kept_timeline_reads_as_it_was_written() -> None:
    remote = Remote((), {}, "2026-11-24T12:00:00.000000Z")
    assert Remote.from_bytes(remote.to_bytes()) == remote
