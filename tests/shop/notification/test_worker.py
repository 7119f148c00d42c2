"""Channels do not wait for each other: a mail server that hangs holds up mails, and no webhook. No engine."""

import asyncio
import uuid
from collections import Counter
from datetime import UTC, datetime
from itertools import chain, repeat
from types import SimpleNamespace

import pytest

from lakeproof.deadline import Deadline
from lakeproof_shop.services.notification import worker
from lakeproof_shop.services.notification.leases import Leases, Look
from lakeproof_shop.services.notification.models import Channel, Notification, Status, Topic
from lakeproof_shop.services.notification.sender import Sender
from lakeproof_shop.services.notification.store import notification_of
from lakeproof_shop.services.notification.worker import Workers
from lakeproof_shop.serving.background import Background

AT_ONCE, BATCH = 2, 4


def due(channel: Channel) -> Look:
    times = ("2026-11-24T14:43:53.042722Z",) * 3
    said = ("to@example.org", "Subject", "Body")
    one = Notification(uuid.uuid4(), 5, channel, *said, Topic.ORDER, None, Status.PENDING, None, 1, 1, *times, None)
    return Look(one, is_opted_out=False, is_leased=True, trace_id="t-7")


class DueOnes(Leases):
    """These are due; what is taken stays taken."""

    def __init__(self, *looks: Look) -> None:
        self.left, self.lease_seconds = list(looks), 20.0

    async def take_due(self, channel: Channel, token: uuid.UUID, count: int, deadline: Deadline) -> list[Look]:
        taken = [look for look in self.left if look.notification.channel == channel][:count]
        self.left = [look for look in self.left if look not in taken]
        return taken


class HungMail(Sender):
    """Sends every webhook at once, and no mail ever. Counts both."""

    def __init__(self, webhooks: int) -> None:
        self.begun, self._left, self.all_sent = Counter[str](), webhooks, asyncio.Event()

    async def send_taken(self, look: Look, token: uuid.UUID, deadline: Deadline) -> None:
        self.begun[look.notification.channel] += 1
        if look.notification.channel == Channel.EMAIL:
            await asyncio.sleep(3600)
        self._left -= 1
        if not self._left:
            self.all_sent.set()


async def test_a_mail_server_that_hangs_holds_up_no_webhook() -> None:
    # All the mails are due first, and are more than there are slots and than one round takes.
    looks = [*(due(Channel.EMAIL) for _ in range(3 * BATCH)), *(due(Channel.WEBHOOK) for _ in range(3 * BATCH))]
    sender = HungMail(webhooks=3 * BATCH)
    workers = Workers(DueOnes(*looks), sender, look_seconds=3600, at_once=AT_ONCE, batch=BATCH)
    working = Background(workers.works())
    try:
        async with asyncio.timeout(5):
            await sender.all_sent.wait()
        assert sender.begun == {"email": AT_ONCE, "webhook": 3 * BATCH}
        assert working.ended == ""
    finally:
        workers.stop()
        await working.stop()


async def test_each_channel_is_woken_and_stopped() -> None:
    leases, sender = DueOnes(), HungMail(webhooks=1)
    workers = Workers(leases, sender, look_seconds=3600, at_once=AT_ONCE, batch=BATCH)
    working = Background(workers.works())
    await asyncio.sleep(0)
    leases.left = [due(Channel.WEBHOOK)]
    workers.wake()
    async with asyncio.timeout(5):
        await sender.all_sent.wait()
    workers.stop()
    await working.stop(grace_seconds=5)
    assert working.ended == "ended: email worker, webhook worker"


class ManyConsumed(DueOnes):
    """Nothing is due. Three sweeps find as many old events as they may forget, the fourth finds less."""

    def __init__(self) -> None:
        super().__init__()
        self.sweeps, self.all_forgotten = 0, asyncio.Event()

    async def sweep(self, deadline: Deadline) -> bool:
        self.sweeps += 1
        if self.sweeps == 4:
            self.all_forgotten.set()
        return self.sweeps == 4


async def test_more_old_events_than_one_sweep_forgets_do_not_wait_for_the_next_sweep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ten_minutes_later = chain([0.0], repeat(601.0))
    monkeypatch.setattr(worker, "time", SimpleNamespace(monotonic=ten_minutes_later.__next__))
    leases = ManyConsumed()
    one = worker.Worker(Channel.EMAIL, leases, HungMail(0), look_seconds=0.001, at_once=AT_ONCE, batch=BATCH)
    working = asyncio.create_task(one.run())
    async with asyncio.timeout(5):
        await leases.all_forgotten.wait()
    one.stop()
    await working
    assert leases.sweeps == 4


def test_a_row_of_a_topic_that_nobody_knows_does_not_stop_those_that_are_due_with_it() -> None:
    now = datetime.now(UTC)
    row = dict.fromkeys(("batch_id", "reason", "due_at", "sent_at")) | {
        "id": uuid.uuid4(),
        "customer_id": 5,
        "channel": "email",
        "recipient": "to@example.org",
        "subject": "Subject",
        "body": "Body",
        "topic": "of a later release",
        "status": "pending",
        "attempts": 1,
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }
    assert notification_of(row).topic == "of a later release"  # type: ignore[arg-type]
