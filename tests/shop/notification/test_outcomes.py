"""What a caller is told where the database goes away just after something was done: unclear, never "not done"."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import pytest

from lakeproof.deadline import Deadline
from lakeproof.stack.settings import NotificationSettings, ShopSettings
from lakeproof_shop.services.notification.app import Surroundings, create_app
from lakeproof_shop.services.notification.leases import Leases
from lakeproof_shop.services.notification.limiter import Limiter
from lakeproof_shop.services.notification.metrics import NotificationMetrics
from lakeproof_shop.services.notification.models import Channel, Notification, Status, Topic
from lakeproof_shop.services.notification.providers import Delivery, ProviderFailed
from lakeproof_shop.services.notification.sender import Retries, Sender
from lakeproof_shop.serving.database.errors import CommitUnclear, DatabaseDown
from lakeproof_shop.serving.database.postgres import Connection

NOBODY = "127.0.0.1:9"


class LostAtTheEnd:
    """Takes every change, and is gone when it is committed, or read back after it was done without a transaction."""

    def __init__(self) -> None:
        self._begun = self._done = False

    async def execute(self, statements: str) -> None:
        self._begun = statements == "BEGIN"
        if statements == "COMMIT":
            raise DatabaseDown("connection lost (57P01)")

    async def fetch(self, statement: str, *_: object) -> list[Any]:
        if self._done:
            raise DatabaseDown("connection lost (57P01)")
        self._done = "UPDATE notifications" in statement and not self._begun
        return []

    def close(self) -> None:
        return None


@asynccontextmanager
async def service(connection: object) -> AsyncIterator[httpx.AsyncClient]:
    async def connect() -> Connection:
        return cast("Connection", connection)

    async def away() -> Connection:
        raise DatabaseDown("cannot connect")

    around = Surroundings(
        *(connect, away, f"redis://{NOBODY}", ("127.0.0.1", 9), f"http://{NOBODY}", NOBODY, f"http://{NOBODY}"),
        reads=(),
    )
    app = create_app(ShopSettings(request_seconds=1.0), NotificationSettings(), around)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client,
    ):
        yield client


@pytest.mark.parametrize("what", ["spread", "withdraw"])
async def test_a_batch_that_may_have_been_changed_is_not_told_as_unchanged(what: str) -> None:
    async with service(LostAtTheEnd()) as shop:
        body = {"spread_seconds": 5} if what == "spread" else None
        answer = await shop.post(f"/notifications/batches/{uuid.uuid4()}/{what}", json=body)
    assert (answer.status_code, answer.json()["outcome"]) == (503, "unclear"), answer.text


class Taken(Leases):
    """The database goes away once the notification is taken."""

    def __init__(self) -> None:
        return None

    async def sent(self, notification_id: uuid.UUID, token: uuid.UUID, deadline: Deadline) -> Notification | None:
        raise DatabaseDown("connection lost (57P01)")

    async def failed(
        self,
        notification_id: uuid.UUID,
        token: uuid.UUID,
        reason: str,
        retry_seconds: float | None,
        deadline: Deadline,
    ) -> Notification | None:
        raise DatabaseDown("connection lost (57P01)")


class MailServer:
    """Takes every mail, or gives no answer to it."""

    def __init__(self, *, answers: bool) -> None:
        self._answers = answers

    async def deliver(self, delivery: Delivery) -> None:
        if not self._answers:
            raise ProviderFailed("no answer", unclear=True)

    async def close(self) -> None:
        return None


@pytest.mark.parametrize("answers", [True, False])
async def test_a_mail_that_was_sent_and_cannot_be_written_down_is_not_told_as_not_sent(answers: bool) -> None:
    times = ("2026-11-24T14:43:53.042722Z",) * 3
    said = ("to@example.org", "Subject", "Body")
    mail = Notification(
        *(uuid.uuid4(), 5, Channel.EMAIL, *said, Topic.ORDER, None, Status.PENDING, None, 1, 1, *times), sent_at=None
    )
    sender = Sender(
        Taken(),
        object.__new__(Limiter),
        {"email": MailServer(answers=answers)},
        NotificationMetrics(),
        Retries(attempts=3, pause_seconds=1.0),
    )
    with pytest.raises(CommitUnclear):
        await sender._deliver(mail, uuid.uuid4())
