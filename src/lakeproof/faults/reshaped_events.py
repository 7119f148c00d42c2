"""A service sends its events in another shape: a key of their data has another name, and nobody can read them.

The fault stands for a release that changed the events. A trigger on the sender's outbox makes the change, so the
events are those of real purchases.
"""

from typing import Annotated, Literal

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.faults.fault import Fault, Sign
from lakeproof.stack.engines.postgres_accounts import DATABASE, owner_of
from lakeproof.stack.postgres_session import transient_connection
from lakeproof.stack.stack import Stack

NAME = "rehearsal_reshape"
SECONDS = 10.0
Key = Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,30}$")]
FUNCTION = f"""
CREATE OR REPLACE FUNCTION {NAME}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.payload ? '{{key}}' THEN
    NEW.payload := (NEW.payload - '{{key}}') || jsonb_build_object('{{name}}', NEW.payload->'{{key}}');
  END IF;
  RETURN NEW;
END $$
"""
TRIGGER = f"CREATE OR REPLACE TRIGGER {NAME} BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION {NAME}()"
GONE = (f"DROP TRIGGER IF EXISTS {NAME} ON outbox", f"DROP FUNCTION IF EXISTS {NAME}()")
THERE = f"SELECT count(*) FROM pg_trigger WHERE tgrelid = 'outbox'::regclass AND tgname = '{NAME}'"


class ReshapedEvents(Arguments):
    """`sender`: whose events. `key`: the key of their data that becomes `name`."""

    sender: Literal["payment", "fulfillment", "support"] = "payment"
    key: Key = "order_id"
    name: Key = "order"


def inject(stack: Stack, arguments: ReshapedEvents) -> None:
    """Change the shape of every event from now on."""
    _execute(stack, arguments, FUNCTION.format(key=arguments.key, name=arguments.name), TRIGGER)


def remove(stack: Stack, arguments: ReshapedEvents) -> None:
    """Give events their usual shape from now on; what was sent meanwhile stays as it is."""
    _execute(stack, arguments, *GONE)


def sign(stack: Stack, arguments: ReshapedEvents) -> Sign:
    """The database has the trigger."""
    there = bool(_execute(stack, arguments, THERE)[0][0])
    shape = f"{arguments.name} instead of {arguments.key}" if there else "their usual shape"
    return Sign(there, f"events of {arguments.sender} get {shape}")


def _execute(stack: Stack, arguments: ReshapedEvents, *statements: str) -> list[tuple[int, ...]]:
    """The rows of the last statement. Raises: TransientError."""
    owner, rows = owner_of(arguments.sender), []
    with transient_connection(stack, owner.user, owner.secret, SECONDS, DATABASE, arguments.sender) as session:
        for statement in statements:
            rows = session.rows(statement)
    return rows


FAULT = Fault(
    "reshaped_events", "have a service send its events in another shape", inject, remove, sign, ReshapedEvents
)
