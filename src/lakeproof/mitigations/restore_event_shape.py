"""Roll the shape of a service's events back, and send again what nobody could read meanwhile.

An event is sent again under its own id, so whoever had read it drops it, and each customer is told once.
"""

from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.deadline import Deadline
from lakeproof.errors import TerminalError
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes.event_shapes import Reshaped, reshaped, unread_before
from lakeproof.stack.engines.postgres_accounts import DATABASE
from lakeproof.stack.engines.postgres_config import ROOT_SECRET, ROOT_USER
from lakeproof.stack.postgres_session import Session, transient_connection
from lakeproof.stack.stack import Stack

SECONDS, TAKEN_SECONDS = 30.0, 15.0
# Of the sender's triggers those that give an event other data, and name the key that is gone.
TRIGGERS = """
SELECT quote_ident(t.tgname) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
WHERE t.tgrelid = '{sender}.outbox'::regclass AND NOT t.tgisinternal AND t.tgenabled <> 'D'
  AND p.prosrc ~* $1::text AND position($2::text IN p.prosrc) > 0
"""
REWRITES = r"(^|;|\mbegin|\mthen|\melse|\mloop)\s*new\.payload\s*:?="
DROP = "DROP TRIGGER {trigger} ON {sender}.outbox"
HAS_KEY = "SELECT payload ? $2::text FROM {sender}.outbox WHERE type = $1 ORDER BY id DESC LIMIT 1"
# Of another shape, and neither acted on nor dropped yet.
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


class RestoreEventShape(Arguments):
    """`minutes`: so far back it looks for events that could not be read. Senders keep theirs for a day."""

    minutes: float = Field(1440.0, gt=0, le=1440)


def typed(stack: Stack, arguments: RestoreEventShape) -> str:
    """By hand: first the sender's change, then its events."""
    return (
        "roll the sender's release back (here: DROP TRIGGER … ON payment.outbox); give outbox.payload its key again;"
        " DELETE FROM notification.consumed_events of these events; UPDATE payment.outbox SET sent_at = NULL"
    )


def run(stack: Stack, arguments: RestoreEventShape) -> str:
    """Fine where every event could be read. What cannot be mended is left as it is, and named.

    Raises: CouldNotLook, TransientError; TerminalError where nothing can be mended, with nothing changed, and, once
    the others are sent again, where events that cannot be mended go on coming.
    """
    since = datetime.now(UTC) - timedelta(minutes=arguments.minutes)
    found = reshaped(stack, SECONDS, since)
    older = unread_before(stack, SECONDS, since)
    beyond = f"; {older} of the day before could not be read either, and are not sent again" if older else ""
    if not found:
        return f"every event of the last {arguments.minutes:g} minutes could be read{beyond}"
    with _database(stack) as session:
        triggers = {one.change: _triggers(session, one) for one in found if one.is_plain}
        # Without a trigger it may be rolled back already, by a person or by a run that was cut off.
        mended = [one for one in found if triggers.get(one.change) or (one.is_plain and _is_over(session, one))]
        if not mended:
            raise _stuck(found, "nothing was changed")
        for sender, trigger in sorted({(one.sender, name) for one in mended for name in triggers[one.change]}):
            session.rows(DROP.format(trigger=trigger, sender=sender))
        _await_taken(session, mended, since)
    # Once more: some were dropped since.
    found = reshaped(stack, SECONDS, since)
    with _database(stack) as session, session.transaction():
        mended = [one for one in found if triggers.get(one.change) or (one.is_plain and _is_over(session, one))]
        for one in mended:
            session.rows(MEND.format(sender=one.sender), list(one.ids), one.has[0], one.lacks[0])
            session.rows(FORGET, list(one.ids))
            session.rows(AGAIN.format(sender=one.sender), list(one.ids))
        # Asked now: where the newest event of a type is among those that were mended, no odd one came after it.
        left = {one: _is_over(session, one) for one in found if one not in mended}
    coming, odd = ([one for one, over in left.items() if over is which] for which in (False, True))
    told = f"sent again: {', '.join(f'{len(one.ids)} {one.type}' for one in mended) or 'none'}"
    if odd:
        told += f"; left alone, for it is not plain which key stands for which: {'; '.join(map(str, odd))}"
    told += beyond
    if coming:
        raise _stuck(coming, told)
    return f"the senders' events have their usual shape; {told}"


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


def _triggers(session: Session, one: Reshaped) -> list[str]:
    """The names of the sender's triggers that change the shape so."""
    return [name for (name,) in session.rows(TRIGGERS.format(sender=one.sender), REWRITES, one.lacks[0])]


def _is_over(session: Session, one: Reshaped) -> bool:
    """Whether the sender's newest event of that type has the key again."""
    return all(session.rows(HAS_KEY.format(sender=one.sender), one.type, key)[0][0] for key in one.lacks)


def _await_taken(session: Session, found: list[Reshaped], since: datetime) -> None:
    """Until the reader of events has taken all of that shape. Raises: DeadlineExpired."""

    def look() -> bool | None:
        counts = [
            session.rows(UNDER_WAY.format(sender=one.sender), one.type, since, one.has[0], one.lacks[0])[0][0]
            for one in found
        ]
        return None if any(counts) else True

    Deadline(TAKEN_SECONDS).wait_for("the events under way to be taken", look, every=0.5)


def _database(stack: Stack) -> AbstractContextManager[Session]:
    return transient_connection(stack, ROOT_USER, ROOT_SECRET, SECONDS, DATABASE)


MITIGATION = Mitigation(
    "restore_event_shape",
    "roll the shape of a service's events back, and send again what could not be read",
    typed,
    run,
    RestoreEventShape,
)
