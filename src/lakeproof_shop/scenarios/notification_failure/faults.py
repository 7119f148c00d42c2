"""Faults of the scenario notification-failure."""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lakeproof.errors import TransientError
from lakeproof.faults.fault import Fault, Sign
from lakeproof.stack.database_rows import read_rows
from lakeproof.stack.engines.postgres_accounts import DATABASE, owner_of
from lakeproof.stack.postgres_session import transient_connection
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.notification_failure import campaigns
from lakeproof_shop.scenarios.notification_failure.event_shapes import NONE
from lakeproof_shop.scenarios.notification_failure.probes import OPT_OUTS_MANY, PROVIDER, opted_out, provider_answer
from lakeproof_shop.services.mail_sink.account import ask_refusal
from lakeproof_shop.services.notification.client import NotificationClient, probed_customer
from lakeproof_shop.services.notification.requests import MAX_BATCH

SUBJECT = "Rehearsal: a crowded campaign"


class CrowdedCampaign(Fault):
    """Send one customer more than the limit allows.

    `messages`: how many one customer gets, spread over `seconds`. The service's own limit is 60 in 60 s.
    """

    messages: int = Field(150, ge=1, le=MAX_BATCH)
    seconds: int = Field(60, ge=0, le=3600)

    def inject(self, stack: Stack) -> None:
        """Make the campaign, unless one goes on."""
        if not campaigns.going_on(stack, SUBJECT):
            customer = probed_customer(datetime.now(UTC))
            with campaigns.client(stack) as calling:
                calling.create_batch([customer] * self.messages, SUBJECT, "marketing", self.seconds)

    def remove(self, stack: Stack) -> None:
        """Call the campaign off; messages that were sent stay sent."""
        campaigns.withdraw(stack, SUBJECT)

    def sign(self, stack: Stack) -> Sign:
        """The campaign goes on, and more of its messages wait than the limit lets pass."""
        waits, limit = (
            sum(campaigns.going_on(stack, SUBJECT).values()),
            stack.settings.notification.notification_rate_limit,
        )
        return Sign(
            waits > limit, f"{waits} messages of a campaign wait for one customer, who gets {limit} in a window"
        )


LOOK_SECONDS = 3.0


class RefusedMail(Fault):
    """Have the mail provider refuse the shop's account.

    `answer`: what the provider says; the shop tries again after a 4xx, not after a 5xx.
    """

    answer: Annotated[str, Field(pattern=r"^[45]\d\d [ -~]{1,200}$")] = "451 4.7.1 this account is over its limit"

    def inject(self, stack: Stack) -> None:
        """Have the provider refuse."""
        ask_refusal(stack.url(PROVIDER), self.answer)

    def remove(self, stack: Stack) -> None:
        """Have the provider take messages again."""
        ask_refusal(stack.url(PROVIDER), "")

    def sign(self, stack: Stack) -> Sign:
        """The mail server says these very words to a recipient: an earlier refusal is not this fault's."""
        answer = provider_answer(stack, LOOK_SECONDS)
        return Sign(answer == self.answer, f"the mail server says: {answer}")


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


class ReshapedEvents(Fault):
    """Have a service send its events in another shape.

    A service sends its events in another shape: a key of their data has another name, and nobody can read them.

    The fault stands for a release that changed the events. A trigger on the sender's outbox makes the change, so the
    events are those of real purchases.

    `sender`: whose events. `key`: the key of their data that becomes `name`.
    """

    sender: Literal["payment", "fulfillment", "support"] = "payment"
    key: Key = "order_id"
    name: Key = "order"

    def inject(self, stack: Stack) -> None:
        """Change the shape of every event from now on."""
        self._execute(stack, FUNCTION.format(key=self.key, name=self.name), TRIGGER)

    def remove(self, stack: Stack) -> None:
        """Give events their usual shape from now on; what was sent meanwhile stays as it is."""
        self._execute(stack, *GONE)

    def sign(self, stack: Stack) -> Sign:
        """The database has the trigger."""
        there = bool(self._execute(stack, THERE)[0][0])
        shape = f"{self.name} instead of {self.key}" if there else "their usual shape"
        return Sign(there, f"events of {self.sender} get {shape}")

    def _execute(self, stack: Stack, *statements: str) -> list[tuple[int, ...]]:
        """The rows of the last statement. Raises: TransientError."""
        owner, rows = owner_of(self.sender), []
        with transient_connection(stack, owner.user, owner.secret, SECONDS, DATABASE, self.sender) as session:
            for statement in statements:
                rows = session.rows(statement)
        return rows


UNWELCOME_SUBJECT = "Rehearsal: an unwelcome campaign"

TO_THE_FIRST = """
SELECT id::text FROM notification.notifications WHERE batch_id = $1::uuid AND customer_id <= $2::bigint
ORDER BY customer_id
"""

WHO_OPTED_OUT = """
SELECT DISTINCT customer_id FROM notification.preferences p JOIN notification.notifications n USING (customer_id)
WHERE n.subject = $1 AND p.opted_out <> '[]'
"""


class UnwelcomeCampaign(Fault):
    """Send a campaign whose customers opt out.

    `recipients`: how many get the campaign, one after the other within `seconds`. `opt_outs`: how many, the first
    ones, get it at once and opt out.
    """

    recipients: int = Field(200, ge=1, le=MAX_BATCH)
    opt_outs: int = Field(40, gt=OPT_OUTS_MANY, le=MAX_BATCH)
    seconds: int = Field(600, ge=0, le=3600)

    @model_validator(mode="after")
    def _enough_recipients(self) -> Self:
        if self.recipients < self.opt_outs:
            raise ValueError("recipients: fewer than opt_outs")
        return self

    def inject(self, stack: Stack) -> None:
        """Make the campaign unless it goes on, send it to the first customers, and have them opt out."""
        if campaigns.going_on(stack, UNWELCOME_SUBJECT):
            return
        first = probed_customer(datetime.now(UTC))
        with campaigns.client(stack) as calling:
            customers = range(first, first + self.recipients)
            batch = calling.create_batch(customers, UNWELCOME_SUBJECT, "marketing", self.seconds)
            unwilling = customers[: self.opt_outs]
            # Nobody opts out of a campaign that has not reached them.
            for (message,) in read_rows(stack, TO_THE_FIRST, batch, unwilling[-1], seconds=campaigns.SECONDS):
                _send(calling, message)
            for customer in unwilling:
                calling.opt_out(customer, "marketing")

    def remove(self, stack: Stack) -> None:
        """Call the campaign off. Its customers are a rehearsal's own; they are set to want all messages again."""
        campaigns.withdraw(stack, UNWELCOME_SUBJECT)
        with campaigns.client(stack) as calling:
            for (customer,) in read_rows(stack, WHO_OPTED_OUT, UNWELCOME_SUBJECT, seconds=campaigns.SECONDS):
                calling.opt_out(int(customer))

    def sign(self, stack: Stack) -> Sign:
        """The database has the opt-outs of a campaign that goes on."""
        seen = opted_out(stack, campaigns.SECONDS)
        return Sign(seen != NONE, f"campaigns whose customers opt out: {seen}")


def _send(calling: NotificationClient, message: str) -> None:
    """Send one message; safe where the service's own worker is just sending it. Raises: TransientError."""
    try:
        calling.send(message)
    except TransientError as error:
        if "being_sent" not in error.message:
            raise
