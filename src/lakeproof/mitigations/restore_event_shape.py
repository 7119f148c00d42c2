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
WHERE created_at > $1 AND payload ? $2::text AND NOT payload ? $3::text
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
    """Fine where every event could be read.

    Raises: CouldNotLook, TransientError; TerminalError where it is not plain which key stands for which, and where no
    trigger changes the shape and the sender's newest event still has it: then nothing was changed. Where it is only
    the events which came meanwhile that are not plain, the senders' triggers are gone, and no event is sent again.
    """
    since = datetime.now(UTC) - timedelta(minutes=arguments.minutes)
    found = reshaped(stack, SECONDS, since)
    older = unread_before(stack, SECONDS, since)
    beyond = f"; {older} of the day before could not be read either, and are not sent again" if older else ""
    if not found:
        return f"every event of the last {arguments.minutes:g} minutes could be read{beyond}"
    _require_plain(found)
    with _database(stack) as session:
        for sender, trigger in _rewriting(session, found):
            session.rows(DROP.format(trigger=trigger, sender=sender))
        _await_taken(session, found, since)
    # Once more: some were dropped since.
    found = reshaped(stack, SECONDS, since)
    _require_plain(found)
    with _database(stack) as session, session.transaction():
        for one in found:
            session.rows(MEND.format(sender=one.sender), since, one.has[0], one.lacks[0])
            session.rows(FORGET, list(one.ids))
            session.rows(AGAIN.format(sender=one.sender), list(one.ids))
    told = ", ".join(f"{len(one.ids)} {one.type}" for one in found)
    return f"the senders' events have their usual shape; sent again: {told}{beyond}"


def _require_plain(found: list[Reshaped]) -> None:
    """Each lacks one key and has one new one. Raises: TerminalError, as `run`."""
    unclear = [str(one) for one in found if (len(one.lacks), len(one.has)) != (1, 1)]
    if unclear:
        raise TerminalError(
            f"it is not plain which key stands for which: {'; '.join(unclear)}",
            where="outbox",
            next_action="roll the sender's release back, and mend the events by hand; or leave out what lies longer "
            "back: --arg minutes=60",
        )


def _rewriting(session: Session, found: list[Reshaped]) -> list[tuple[str, str]]:
    """Sender and name of the triggers that change the shape. Raises: TerminalError, as `run`."""
    triggers, unknown = set(), []
    for one in found:
        rows = session.rows(TRIGGERS.format(sender=one.sender), REWRITES, one.lacks[0])
        triggers |= {(one.sender, name) for (name,) in rows}
        # Without a trigger it may be rolled back already, by a person or by a run that was cut off.
        if not rows and not session.rows(HAS_KEY.format(sender=one.sender), one.type, one.lacks[0])[0][0]:
            unknown.append(str(one))
    if unknown:
        raise TerminalError(
            f"no trigger changes the shape of these events: {'; '.join(unknown)}",
            where="outbox",
            next_action="roll the sender's release back; after its next event of the usual shape, do this again",
        )
    return sorted(triggers)


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
