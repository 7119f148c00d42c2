"""Checks of the scenario notification-failure."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from pydantic import Field

from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.proof.report import KEYS_SHOWN
from lakeproof.stack.database_rows import read_rows
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.notification_failure.event_shapes import Reshaped, reshaped
from lakeproof_shop.services.notification.client import NotificationClient
from lakeproof_shop.services.notification.models import SENDER
from lakeproof_shop.services.notification.providers import HOSTNAME
from lakeproof_shop.services.notification.synthetic import probe
from lakeproof_shop.serving.times import iso

PROVIDER = "mail-sink"

OURS = re.compile(rf"<(.*)@{re.escape(HOSTNAME)}>")

LOOK_SECONDS, READ_SECONDS = 2.0, 10.0

LIST_SECONDS = 60.0

# for all pages of the provider's list
PAGE = 1000

# The column `due_at IS NOT NULL` is `Notified.awaited`: the notification will be tried again, or is being sent.
NOTIFICATIONS = """
SELECT id::text, channel, status, reason, due_at IS NOT NULL, attempts FROM notification.notifications
WHERE created_at >= $1
"""

# Asked after the provider's list was read: a notification may have been made and sent between the two looks.
STANDS = "SELECT id::text FROM notification.notifications WHERE id::text = ANY($1::text[])"

# An event that came a second time, and whose notification is older than $1, called for nothing new.
CALLED_FOR = """
SELECT event_id::text FROM notification.consumed_events c WHERE at >= $1 AND dropped IS NULL
  AND NOT EXISTS (SELECT FROM notification.notifications n WHERE n.id = c.event_id AND n.created_at < $1)
"""


class MessagesDelivered(Check):
    """Every accepted message is delivered once, or dropped with a reason.

    Every message that was accepted is with the provider once, or was dropped for a reason that is told.

    Accepted are the notifications in the database, and the events of other services that called for one. (A
    notification that was asked for by a call and deleted since leaves no trace here.) An event that was dropped
    because its sender changed its shape counts as lost. A mail from the shop's address that belongs to no
    notification was sent past the service, so its customer got two. What was delivered is read from the provider's
    own list, not from the service. The provider keeps a message that comes again under its id once, and counts the
    repeats. The service has to try again after a try without a clear answer, so a message may come as often as it
    was tried; one that came more often was sent twice by one try. Whether an earlier try was answered clearly is
    recorded nowhere. The bound: the mail sink keeps its newest messages (50,000 at least).

    `seconds`: how long `verify` waits for messages that will be tried again.
    """

    seconds: float = Field(90.0, gt=0, le=600)

    def baseline(self, context: CheckContext) -> Baseline:
        """Messages accepted from now on are judged. The service's database and the provider both answer."""
        now = datetime.now(UTC)
        return Baseline(_look(context.stack, now), {"at": now.isoformat()})

    def verify(self, context: CheckContext, before: Baseline) -> Verdict:
        """The claim holds, once failed messages were tried again."""
        since, deadline = datetime.fromisoformat(str(before.values["at"])), Deadline(self.seconds)
        while True:
            verdict = _look(context.stack, since, wanted=1)
            final = verdict.outcome is Outcome.PASSED or verdict.numbers.get("sent_twice")  # nobody takes a mail back
            if final or deadline.expired or context.deadline.expired:
                return verdict
            context.progress(f"messages: {verdict.summary}; looking again")
            deadline.pause(LOOK_SECONDS)


@dataclass(frozen=True, slots=True)
class Notified:
    """One notification in the service's database. attempts: how often it was handed to the provider."""

    id: str
    channel: str
    status: str
    reason: str | None
    awaited: bool
    attempts: int = 1

    @property
    def message_id(self) -> str:
        """The id under which the provider knows this message."""
        return _mail_id(self.id) if self.channel == "email" else self.id


@dataclass(frozen=True, slots=True)
class Kept:
    """One message in the provider's list. from_shop: it is a mail from the shop's address. at: ISO 8601 in UTC.
    repeats: how often it came again.
    """

    id: str
    from_shop: bool
    at: str
    repeats: int = 0


def _mail_id(notification_id: str) -> str:
    return f"<{notification_id}@{HOSTNAME}>"


def _look(stack: Stack, since: datetime, wanted: int = 0) -> Verdict:
    try:
        called_for = [row[0] for row in read_rows(stack, CALLED_FOR, since, seconds=READ_SECONDS)]
        notified = read_rows(stack, NOTIFICATIONS, since, seconds=READ_SECONDS)
        found = [Notified(row[0], row[1], row[2], row[3], bool(row[4]), row[5]) for row in notified]
        messages = _messages(stack.url(PROVIDER), Deadline(LIST_SECONDS))
        unknown = strangers(messages, {one.message_id for one in found}, iso(since))
        stand = {_mail_id(row[0]) for row in read_rows(stack, STANDS, [*unknown], seconds=READ_SECONDS)}
        unread = reshaped(stack, READ_SECONDS, since)
    except CouldNotLook as error:
        return Verdict(MessagesDelivered.summary, Outcome.UNKNOWN, error.message)
    except (httpx.HTTPError, ValueError, KeyError) as error:
        return Verdict(
            MessagesDelivered.summary,
            Outcome.UNKNOWN,
            f"the provider does not list its messages: {type(error).__name__}",
        )
    kept = Counter(one.id for one in messages)
    beside = [message for message in unknown.values() if message not in stand]
    repeats = Counter({one.id: one.repeats for one in messages if one.repeats})
    return judge(found, called_for, kept, wanted, unread, beside, repeats)


def strangers(messages: Sequence[Kept], known: Collection[str], since: str) -> dict[str, str]:
    """Mails from the shop's address sent since then whose message id is not known: the message id, by the
    notification id in it, or by itself where it has none. since: ISO 8601 in UTC.
    """
    found = [one.id for one in messages if one.from_shop and one.at >= since and one.id not in known]
    return {OURS.sub(r"\1", message): message for message in found}


def _messages(url: str, deadline: Deadline) -> list[Kept]:
    """All messages of the provider. Raises: httpx.HTTPError, CouldNotLook where they do not end in time."""
    found: list[Kept] = []
    after = 0
    with httpx.Client(base_url=url, timeout=READ_SECONDS, trust_env=False) as client:
        while after is not None:
            if deadline.expired:
                raise CouldNotLook(f"its list has no end after {len(found)} messages", where=PROVIDER)
            page = client.get("/messages", params={"after": after, "limit": PAGE}).raise_for_status().json()
            found += [
                Kept(
                    one["message_id"],
                    one["channel"] == "email" and one["sender"] == SENDER,
                    one["at"],
                    one["repeats"],
                )
                for one in page["messages"]
            ]
            after = page["next"]
    return found


def judge(
    found: Sequence[Notified],
    called_for: Sequence[str],
    kept: Counter[str],
    wanted: int = 0,
    unread: Sequence[Reshaped] = (),
    beside: Sequence[str] = (),
    repeats: Counter[str] | None = None,
) -> Verdict:
    """called_for: ids of the notifications that events called for. kept: how often the provider has each message id.
    wanted: the least number of messages; a claim over none says nothing. unread: events dropped for their shape.
    beside: ids of the shop's mails that belong to no notification. repeats: how often a message id came again.
    """
    came_again = repeats or Counter[str]()
    there = {one.id for one in found}
    lost = [f"{one}: an event called for it, and it is gone" for one in called_for if one not in there]
    lost += [
        f"{one.id}: sent, and the provider has none"
        for one in found
        if one.status == "sent" and not kept[one.message_id]
    ]
    lost += [
        f"{event}: an event nobody could read, {one.type} lacks {', '.join(one.lacks)}"
        for one in unread
        for event in one.ids
    ]
    failed = [one for one in found if one.status == "failed"]
    lost += [f"{one.id}: failed for good: {one.reason}" for one in failed if not one.awaited]
    waiting = [f"{one.id}: failed, and will be tried again: {one.reason}" for one in failed if one.awaited]
    waiting += [f"{one.id}: not sent yet" for one in found if one.status == "pending"]
    twice = [f"{one.id}: {kept[one.message_id]} times" for one in found if kept[one.message_id] > 1]
    twice += [
        f"{one.id}: came {1 + came_again[one.message_id]} times, and was tried {one.attempts}"
        for one in found
        # Only sent ones are judged: for any other a new try may have begun after `attempts` was read.
        if one.status == "sent" and came_again[one.message_id] >= one.attempts
    ]
    twice += [f"{one}: no notification stands for it" for one in beside]
    dropped = [one for one in found if one.status == "dropped"]
    mute = [f"{one.id}: dropped without a reason" for one in dropped if not one.reason]
    numbers = {
        "messages": float(len(found)),
        "delivered": float(sum(one.status == "sent" for one in found)),
        "dropped": float(len(dropped)),
        "waiting": float(len(waiting)),
        "lost_messages": float(len(lost)),
        "sent_twice": float(len(twice)),
        "repeats": float(sum(came_again[one.message_id] for one in found)),
    }
    repeated = f"; repeats that the provider knew by their id: {numbers['repeats']:g}" if numbers["repeats"] else ""
    wrong = [*lost, *twice, *mute, *waiting]
    if wrong:
        words = f"{len(lost)} lost, {len(twice)} delivered twice, {len(mute)} dropped without a reason"
        return Verdict(
            MessagesDelivered.summary,
            Outcome.FAILED,
            f"{words}, {len(waiting)} not sent yet{repeated}",
            numbers,
            tuple(wrong[:KEYS_SHOWN]),
        )
    if len(found) < wanted:
        return Verdict(MessagesDelivered.summary, Outcome.UNKNOWN, "no message was accepted meanwhile", numbers)
    by_reason = Counter(str(one.reason) for one in dropped)
    listed = ", ".join(f"{count} {reason}" for reason, count in by_reason.items()) or "none"
    return Verdict(
        MessagesDelivered.summary,
        Outcome.PASSED,
        f"{len(found) - len(dropped)} messages delivered, each once; dropped: {listed}{repeated}",
        numbers,
    )


SERVICE = "notification-service"


class ProbeSent(Check):
    """A notification of the synthetic probe is sent, and the metrics tell of it.

    A notification is made and sent as a caller would, and the metrics tell of it: the runbook's synthetic probe.

    This check acts: each look sends one message to an address of the rehearsals.
    """

    acts = True

    def baseline(self, context: CheckContext) -> Baseline:
        """The claim holds before the fault too."""
        return Baseline(_look_for_probe(context))

    def verify(self, context: CheckContext, before: Baseline) -> Verdict:
        """The claim holds. Raises: CouldNotLook where the service shows no metrics."""
        return _look_for_probe(context)


def _look_for_probe(context: CheckContext) -> Verdict:
    found: dict[str, Any] = {}
    with NotificationClient(context.stack.url(SERVICE)) as client:
        probe(client, found)
    if not found["ok"]:
        return Verdict(ProbeSent.summary, Outcome.FAILED, found["problem"])
    took = f"made in {found['createSeconds']:.2f} s, sent in {found['sendSeconds']:.2f} s"
    moved = ", ".join(f"{name} +{one['delta']:g}" for name, one in found["metrics"].items())
    return Verdict(ProbeSent.summary, Outcome.PASSED, f"{took}; {moved}")
