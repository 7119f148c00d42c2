"""Repairs of the scenario notification-failure."""

import math
import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, DeadlineExpired, TerminalError, TransientError
from lakeproof.mitigations.kept_values import keep_values
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.named import Named, hold_to_found, named_one
from lakeproof.stack.database_rows import read_rows
from lakeproof.stack.engines.postgres_accounts import DATABASE
from lakeproof.stack.engines.postgres_config import ROOT_SECRET, ROOT_USER
from lakeproof.stack.postgres_session import Session, transient_connection
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.notification_failure.event_shapes import (
    NONE,
    SERVICE,
    Reshaped,
    reshaped,
    unread_before,
)
from lakeproof_shop.scenarios.notification_failure.probes import batch_of, opted_out, turned_down
from lakeproof_shop.services.mail_sink.account import ask_refusal
from lakeproof_shop.services.notification.client import NotificationClient

PROVIDER = "mail-sink"


class AcceptMail(Mitigation):
    """Have the mail provider take the shop's messages again."""

    def typed(self, stack: Stack) -> str:
        """The provider's own call; with a real one: pay, or ask for a higher limit."""
        body = "-H 'content-type: application/json' -d '{\"refusal\": \"\"}'"
        return f"curl -X PUT {body} {stack.url(PROVIDER)}/account"

    def run(self, stack: Stack) -> str:
        """Nothing changes where the provider takes the messages already."""
        ask_refusal(stack.url(PROVIDER), "")
        return (
            "the provider takes the shop's messages; those that it refused are tried again"
            " by the notification service"
        )


SHAPE_SECONDS, TAKEN_SECONDS, NEWER_SECONDS = 30.0, 15.0, 5.0

# The sender's triggers that give an event other data, and that name both the missing key and the new one.
TRIGGERS = """
SELECT quote_ident(t.tgname), pg_get_triggerdef(t.oid), pg_get_functiondef(p.oid)
FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
WHERE t.tgrelid = '{sender}.outbox'::regclass AND NOT t.tgisinternal AND t.tgenabled <> 'D'
  AND p.prosrc ~* $1::text AND p.prosrc ~ $2::text AND p.prosrc ~ $3::text
"""

REWRITES = r"(^|;|\mbegin|\mthen|\melse|\mloop)\s*new\.payload\s*:?="

DROP = "DROP TRIGGER {trigger} ON {sender}.outbox"

NEWEST = "SELECT coalesce(max(id), 0) FROM {sender}.outbox"

# How many events of that type are newer than a given one, and how many of these still have the other shape.
NEWER = """
SELECT count(*), count(*) FILTER (WHERE payload ? $3::text AND NOT payload ? $4::text)
FROM {sender}.outbox WHERE type = $1 AND id > $2
"""

HAS_KEY = "SELECT payload ? $2::text FROM {sender}.outbox WHERE type = $1 ORDER BY id DESC LIMIT 1"

# How many events of the other shape the reader has neither acted on nor dropped yet.
UNDER_WAY = """
SELECT count(*) FROM {sender}.outbox o
WHERE type = $1 AND created_at > $2 AND payload ? $3::text AND NOT payload ? $4::text
  AND NOT EXISTS (SELECT FROM notification.consumed_events c WHERE c.event_id = o.event_id)
"""

MEND = """
UPDATE {sender}.outbox SET payload = (payload - $2::text) || jsonb_build_object($3::text, payload->$2::text)
WHERE event_id::text = ANY($1::text[]) AND payload ? $2::text AND NOT payload ? $3::text
"""

FORGET = "DELETE FROM notification.consumed_events WHERE event_id::text = ANY($1::text[]) AND dropped IS NOT NULL"

AGAIN = "UPDATE {sender}.outbox SET sent_at = NULL WHERE event_id::text = ANY($1::text[])"


class RestoreEventShape(Mitigation):
    """Roll the shape of a service's events back, and send again what could not be read.

    Roll the shape of a service's events back, and send again what nobody could read meanwhile.

    An event is sent again under its own id, so whoever had read it drops it, and each customer is told once.

    The trigger that changes the shape is told by its text: it gives an event other data, and names both the missing
    key and the new one. The text may fit a harmless trigger as well. So its definition is kept in a file before it
    is dropped (kept_values.py), and the sender's next events are looked at.

    `minutes`: how far back unreadable events are looked for. Senders keep their events for a day.
    """

    minutes: float = Field(1440.0, gt=0, le=1440)

    def typed(self, stack: Stack) -> str:
        """By hand: first the sender's change, then its events."""
        return (
            "roll the sender's release back (here: DROP TRIGGER … ON payment.outbox, its definition is kept in a"
            " file); give outbox.payload its key again;"
            " DELETE FROM notification.consumed_events of these events; UPDATE payment.outbox SET sent_at = NULL"
        )

    def run(self, stack: Stack) -> str:
        """Mend the events and send them again; safe where all could be read. What cannot be mended is left and named.

        Raises: CouldNotLook, TransientError; TerminalError, with nothing changed, where nothing can be mended or a
        trigger's definition cannot be kept. TerminalError also, once the others are sent again, where events that
        cannot be mended keep coming, or events of the other shape do although the trigger is dropped.
        """
        since = datetime.now(UTC) - timedelta(minutes=self.minutes)
        found = reshaped(stack, SHAPE_SECONDS, since)
        older = unread_before(stack, SHAPE_SECONDS, since)
        beyond = f"; {older} of the day before could not be read either, and are not sent again" if older else ""
        if not found:
            return f"every event of the last {self.minutes:g} minutes could be read{beyond}"
        with _database(stack) as session:
            triggers = {one.change: _triggers(session, one) for one in found if one.is_plain}
            mended = [one for one in found if _is_rolled_back(session, one, triggers)]
            if not mended:
                raise _stuck(found, "nothing was changed")
        kept = _keep(stack, _of(mended, triggers))
        try:
            return _send_again(stack, since, mended, triggers, f"{kept}{beyond}")
        except (CouldNotLook, TransientError) as error:
            raise TransientError(f"{error.what}{kept}", where=error.where, next_action="do this again") from error


@dataclass(frozen=True, order=True)
class Trigger:
    """A trigger of a sender's outbox, with its own definition and its function's."""

    sender: str
    name: str
    definition: str
    function: str

    def __str__(self) -> str:
        return f"{self.name} of {self.sender}.outbox"


# A change of the shape (Reshaped.change) → the triggers that make it.
type Triggers = Mapping[tuple[object, ...], list[Trigger]]


def _send_again(stack: Stack, since: datetime, before: list[Reshaped], triggers: Triggers, beyond: str) -> str:
    """Drop the triggers, then mend and send the unreadable events. before: the shapes found before the drop."""
    with _database(stack) as session:
        for trigger in _of(before, triggers):
            session.rows(DROP.format(trigger=trigger.name, sender=trigger.sender))
        # The drop waited for everyone who was writing events: events after these marks have the sender's own shape.
        senders = {trigger.sender for trigger in _of(before, triggers)}
        marks = {sender: session.rows(NEWEST.format(sender=sender))[0][0] for sender in senders}
        _await_taken(session, before, since)
        _await_newer(session, [one for one in before if one.sender in marks], marks)
    # Looked for once more: the reader has dropped further events since.
    found = reshaped(stack, SHAPE_SECONDS, since)
    with _database(stack) as session, session.transaction():
        mended = [one for one in found if _is_rolled_back(session, one, triggers)]
        newer = {one: _newer(session, one, marks) for one in mended if triggers.get(one.change)}
        for one in mended:
            session.rows(MEND.format(sender=one.sender), list(one.ids), one.has[0], one.lacks[0])
            session.rows(FORGET, list(one.ids))
            session.rows(AGAIN.format(sender=one.sender), list(one.ids))
        # Asked only now: where the newest event of a type is among the mended ones, no odd one came after it.
        left = {one: _is_over(session, one) for one in found if one not in mended}
    coming, odd = ([one for one, over in left.items() if over is which] for which in (False, True))
    told = f"sent again: {', '.join(f'{len(one.ids)} {one.type}' for one in mended) or 'none'}"
    if odd:
        told += f"; left alone, for it is not plain which key stands for which: {'; '.join(map(str, odd))}"
    told += beyond
    if still := [one for one, (_, reshaped_ones) in newer.items() if reshaped_ones]:
        raise TerminalError(
            f"what was dropped did not change the shape, newer events have it as well: {'; '.join(map(str, still))};"
            f" {told}",
            where="outbox",
            next_action="make the trigger again from that file; roll the sender's release back, then do this again",
        )
    if coming:
        raise _stuck(coming, told)
    if unseen := sorted({one.type for one, (count, _) in newer.items() if not count}):
        return f"whether it helped is not seen yet, no newer event came of {', '.join(unseen)}; {told}"
    return f"the senders' newest events have their usual shape; {told}"


def _is_rolled_back(session: Session, one: Reshaped, triggers: Triggers) -> bool:
    """True where triggers make this change of the shape, or did until now. Without one it may be over already, rolled
    back by a person or by a run that was cut off.
    """
    return bool(triggers.get(one.change)) or (one.is_plain and _is_over(session, one))


def _of(found: Iterable[Reshaped], triggers: Triggers) -> list[Trigger]:
    return sorted({trigger for one in found for trigger in triggers[one.change]})


def _keep(stack: Stack, triggers: Iterable[Trigger]) -> str:
    """Keep the triggers' definitions. Gives the words that name triggers and file. Raises: as keep_values."""
    definitions = {str(each): [each.definition, each.function] for each in triggers}
    if not definitions:
        return ""
    path = keep_values(stack, DATABASE, definitions, kind="definitions")
    return f"; dropped: trigger {', '.join(definitions)}, its definition is kept in {path}"


def _stuck(found: list[Reshaped], done: str) -> TerminalError:
    unclear = [one for one in found if not one.is_plain]
    others = [one for one in found if one.is_plain]
    troubles = [
        f"{why}: {'; '.join(map(str, which))}"
        for why, which in (
            ("it is not plain which key stands for which", unclear),
            ("no trigger changes the shape of these events", others),
        )
        if which
    ]
    by_hand = ", and mend these by hand; or leave out what lies longer back: --arg minutes=60"
    return TerminalError(
        f"{'; '.join(troubles)}; {done}",
        where="outbox",
        next_action="roll the sender's release back; after its next event of the usual shape, do this again"
        + (by_hand if unclear else ""),
    )


def _triggers(session: Session, one: Reshaped) -> list[Trigger]:
    """The sender's triggers that make this change of the shape."""
    rows = session.rows(TRIGGERS.format(sender=one.sender), REWRITES, _word(one.lacks[0]), _word(one.has[0]))
    return [Trigger(one.sender, *row) for row in rows]


def _word(key: str) -> str:
    """A pattern for the key as a whole word: `order` is not found in order_id."""
    return rf"(^|\W){re.escape(key)}(\W|$)"


def _is_over(session: Session, one: Reshaped) -> bool:
    """Whether the sender's newest event of that type has the key again."""
    return all(session.rows(HAS_KEY.format(sender=one.sender), one.type, key)[0][0] for key in one.lacks)


def _newer(session: Session, one: Reshaped, marks: Mapping[str, int]) -> tuple[int, int]:
    """How many events of that type are newer than the sender's mark, and how many of them have the other shape."""
    rows = session.rows(NEWER.format(sender=one.sender), one.type, marks[one.sender], one.has[0], one.lacks[0])
    return rows[0][0], rows[0][1]


def _await_newer(session: Session, found: list[Reshaped], marks: Mapping[str, int]) -> None:
    """Wait until each type has a newer event, or one of the other shape; not for long, for some types are rare."""

    def look() -> bool | None:
        counts = [_newer(session, one, marks) for one in found]
        return True if all(count for count, _ in counts) or any(odd for _, odd in counts) else None

    with suppress(DeadlineExpired):
        Deadline(NEWER_SECONDS).wait_for("newer events", look, every=0.5)


def _await_taken(session: Session, found: list[Reshaped], since: datetime) -> None:
    """Wait until the reader has taken all events of the other shape. Raises: DeadlineExpired."""

    def look() -> bool | None:
        counts = [
            session.rows(UNDER_WAY.format(sender=one.sender), one.type, since, one.has[0], one.lacks[0])[0][0]
            for one in found
        ]
        return None if any(counts) else True

    Deadline(TAKEN_SECONDS).wait_for("the events under way to be taken", look, every=0.5)


def _database(stack: Stack) -> AbstractContextManager[Session]:
    return transient_connection(stack, ROOT_USER, ROOT_SECRET, SHAPE_SECONDS, DATABASE)


SECONDS = 5.0

# The share of the limit that the campaign may use: a customer gets other messages as well.
SHARE = 0.8

MOST_FOR_ONE = """
SELECT count(*) FROM notification.notifications WHERE batch_id = $1::uuid AND status = 'pending'
GROUP BY customer_id ORDER BY 1 DESC LIMIT 1
"""

Batch = Annotated[str, Field(pattern=r"^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$")]


class SpreadCampaign(Named, Mitigation):
    """Spread what waits of a campaign over a longer time.

    `batch`: the campaign's id; without one, the batch of which the limiter turns the most messages down. `only`:
    the one batch that may be spread (named.py).
    """

    batch: Batch = ""

    def typed(self, stack: Stack) -> str:
        """The service's own call, as it would be made now; only its form where that is not known."""
        batch, seconds, after = self.batch or "ID", "SECONDS", "WINDOW"
        with suppress(CouldNotLook, TerminalError):
            batch, seconds, after = map(str, self._plan(stack))
        body = (
            f"-H 'content-type: application/json' -d '{{\"spread_seconds\": {seconds}, \"after_seconds\": {after}}}'"
        )
        return f"curl -X POST {body} {stack.url(SERVICE)}/notifications/batches/{batch}/spread"

    def run(self, stack: Stack) -> str:
        """The campaign's next message goes out once the limit's window is over. Messages turned down stay dropped.

        Raises: CouldNotLook, TransientError; TerminalError where no campaign is turned down and none was named, or
        where another one is turned down than the proposal named.
        """
        batch, seconds, after = self._plan(stack)
        with NotificationClient(stack.url(SERVICE)) as calling:
            left = int(calling.spread(batch, seconds, after)["by_status"].get("pending", 0))
        return f"batch {batch}: {left} messages that wait go out over {seconds} s, from {after} s from now on"

    def hold(self, stack: Stack) -> Mapping[str, str]:
        """The batch of which the limiter turns the most down now."""
        return {} if self.batch else hold_to_found(self, lambda: _found(stack))

    def _plan(self, stack: Stack) -> tuple[str, int, int]:
        """The batch's id, then what spread_of gives. Raises: CouldNotLook, TerminalError as `run`."""
        batch = self.batch or named_one(self, _found(stack))
        if not batch:
            raise TerminalError(
                "the limiter turns down no campaign that goes on",
                where=SERVICE,
                next_action="name one: --arg batch=ID",
            )
        rows = read_rows(stack, MOST_FOR_ONE, batch, seconds=SECONDS)
        most = int(rows[0][0]) if rows else 0
        limits = stack.settings.notification
        return batch, *spread_of(most, limits.notification_rate_limit, limits.notification_rate_window_seconds)


def _found(stack: Stack) -> list[str]:
    batch = batch_of(turned_down(stack, SECONDS))
    return [batch] if batch else []


def spread_of(most: int, limit: int, window: int) -> tuple[int, int]:
    """Seconds over which, and after which, `most` messages to one customer stay below `limit` in `window` seconds."""
    return math.ceil(most * window / (SHARE * limit)), window


class StopCampaign(Named, Mitigation):
    """Call a campaign off that customers opt out of.

    `batch`: the campaign's id; without one, the campaign that customers opt out of. `only`: as in named.py.
    """

    batch: Batch = ""

    def typed(self, stack: Stack) -> str:
        """The service's own call."""
        batch = self.batch or self.only or "ID"
        return f"curl -X POST {stack.url(SERVICE)}/notifications/batches/{batch}/withdraw"

    def run(self, stack: Stack) -> str:
        """Messages that were sent stay sent, and customers who opted out stay so.

        Raises: CouldNotLook, TransientError; TerminalError where none was named and customers opt out of no
        campaign, or of several equally, or of another one than the proposal named.
        """
        batch = self.batch or named_one(self, _unwelcome(stack))
        if not batch:
            raise TerminalError(
                "no campaign that goes on has many opt-outs", where=SERVICE, next_action="name one: --arg batch=ID"
            )
        with NotificationClient(stack.url(SERVICE)) as calling:
            by_status = calling.withdraw(batch)["by_status"]
        told = ", ".join(f"{count} {status}" for status, count in by_status.items())
        return f"batch {batch} is called off: {told}"

    def hold(self, stack: Stack) -> Mapping[str, str]:
        """The batch of which customers opt out now."""
        return {} if self.batch else hold_to_found(self, lambda: _unwelcome(stack))


def _unwelcome(stack: Stack) -> list[str]:
    """Raises: CouldNotLook; TerminalError where nobody can tell which of several campaigns customers opt out of."""
    seen = opted_out(stack, SECONDS)
    if seen == NONE:
        return []
    batch = batch_of(seen)
    if not batch:
        raise TerminalError(
            f"several campaigns had reached the same number of customers who then opted out ({seen})",
            where=SERVICE,
            next_action="look which of them is wrong, and name it: --arg batch=ID",
        )
    return [batch]
