"""Where the service begins to read others' events: not before its database knows since when. No engine."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest

from lakeproof.deadline import Deadline
from lakeproof.stack.settings import NotificationSettings, ShopSettings
from lakeproof_shop.services.notification import app as notification
from lakeproof_shop.services.notification.consumer import EventReader
from lakeproof_shop.services.notification.event_store import EventStore
from lakeproof_shop.services.notification.incoming import TOPICS
from lakeproof_shop.services.notification.metrics import NotificationMetrics
from lakeproof_shop.serving.database.errors import DatabaseDown
from lakeproof_shop.serving.database.postgres import Connection

NOBODY = "127.0.0.1:9"


class Reader:
    """Stands for the consumer: keeps what it is made and started with."""

    made: Mapping[str, Any]
    since: Mapping[str, float] | None = None

    def __init__(self, _: str, __: object, **made: Any) -> None:
        type(self).made = made

    def start(self, since: Mapping[str, float]) -> None:
        type(self).since = since

    async def stop(self) -> None:
        return None

    @property
    def is_running(self) -> bool:
        return type(self).since is not None


async def no_database() -> Connection:
    raise DatabaseDown("cannot connect (08001)")


async def test_every_topic_is_read_since_the_moment_that_the_database_has_noted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = [DatabaseDown("starts"), {topic: 7.0 for topic in TOPICS}]
    asked = asyncio.Event()

    async def reading_since(_: EventStore, topics: tuple[str, ...], __: Deadline) -> dict[str, float]:
        assert set(topics) == set(TOPICS)
        asked.set()
        answer = answers.pop(0)
        if isinstance(answer, DatabaseDown):
            raise answer
        return cast("dict[str, float]", answer)

    monkeypatch.setattr(EventStore, "reading_since", reading_since)
    begun_with: list[Mapping[str, float]] = []
    monkeypatch.setattr(EventReader, "begin", lambda _, since: begun_with.append(since))
    monkeypatch.setattr(notification, "EventConsumer", Reader)
    monkeypatch.setattr(notification, "AGAIN_SECONDS", 0.01)
    around = notification.Surroundings(
        *(no_database, no_database, "redis://127.0.0.1:9", ("127.0.0.1", 9), f"http://{NOBODY}", NOBODY),
        f"http://{NOBODY}",
    )
    works = notification.Works(ShopSettings(), NotificationSettings(), around, NotificationMetrics())
    works.start()
    try:
        assert set(Reader.made["begin_at_end"]) == set(TOPICS)
        await asked.wait()
        assert Reader.since is None

        async def begun() -> bool | None:
            return None if Reader.since is None else True

        await Deadline(5).wait_for_async("it to read", begun, every=0.01)
        assert Reader.since == {topic: 7.0 for topic in TOPICS}
        assert begun_with == [Reader.since]
    finally:
        await works.stop()
