"""What callers may ask of the notification service: every limit on what comes in stands here."""

import re
from typing import Annotated, Literal, Self

import orjson
from pydantic import Field, StrictInt, model_validator

from lakeproof.strict_model import StrictModel
from lakeproof_shop.names import MAX_CUSTOMER_ID
from lakeproof_shop.services.notification.models import Channel, OptOut, Topic
from lakeproof_shop.serving.answering import KEY_PATTERN
from lakeproof_shop.serving.gate import CHARACTER_BYTES

MAX_BATCH = 500
MAX_SPREAD_SECONDS = 86_400
MAX_SUBJECT = 200
MAX_BODY = 10_000
MAX_TO = 250
# The bytes that the largest allowed request may take; the constants added cover names, spaces and short fields.
CONTENT_BYTES = CHARACTER_BYTES * (MAX_SUBJECT + MAX_BODY) + 4096
BATCH_BYTES = CONTENT_BYTES + MAX_BATCH * (6 * MAX_TO + 256)

# ASCII without white space, quotes and brackets: every mail server takes it, and nothing in it ends a header.
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,183}[A-Za-z0-9])?")

Key = Annotated[str, Field(pattern=KEY_PATTERN, examples=["reminder-4711"])]
CustomerId = Annotated[StrictInt, Field(ge=1, le=MAX_CUSTOMER_ID)]
# No character that ends a line: a subject is one line of a mail's head. No-break spaces and joined emoji are fine.
SUBJECT_PATTERN = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$"
Subject = Annotated[
    str, Field(min_length=1, max_length=MAX_SUBJECT, pattern=SUBJECT_PATTERN, examples=["Your order"])
]
# No NUL, which PostgreSQL does not keep.
Text = Annotated[str, Field(max_length=MAX_BODY, pattern=r"^[^\x00]*$")]
To = Annotated[
    str,
    Field(
        min_length=3,
        max_length=MAX_TO,
        pattern=r"^[\x21-\x7e]+$",
        description="an e-mail address; for a webhook any address that the provider knows",
        examples=["customer-5@example.org"],
    ),
]


def _check_to(channel: Channel, to: str) -> None:
    if channel is Channel.EMAIL and (not _ADDRESS.fullmatch(to) or ".." in to):
        raise ValueError("to is no e-mail address")


class ContentRequest(StrictModel):
    """What is said, about what, by which channel."""

    channel: Channel
    topic: Topic
    subject: Subject
    body: Text

    def canonical(self) -> str:
        """The request as one text: equal for equal requests however they were written."""
        return orjson.dumps(
            self.model_dump(mode="json", exclude={"client_key"}), option=orjson.OPT_SORT_KEYS
        ).decode()


class CreateRequest(ContentRequest):
    """A notification. `client_key` may stand in the header Idempotency-Key instead."""

    client_key: Key | None = None
    customer_id: CustomerId
    to: To

    @model_validator(mode="after")
    def to_fits_the_channel(self) -> Self:
        """An e-mail goes to an e-mail address."""
        _check_to(self.channel, self.to)
        return self


class RecipientRequest(StrictModel):
    """One recipient of a batch."""

    customer_id: CustomerId
    to: To


class BatchRequest(ContentRequest):
    """The same message to many people, evenly spread over `spread_seconds` from now on."""

    client_key: Key | None = None
    recipients: Annotated[list[RecipientRequest], Field(min_length=1, max_length=MAX_BATCH)]
    spread_seconds: Annotated[StrictInt, Field(ge=0, le=MAX_SPREAD_SECONDS)] = 0

    @model_validator(mode="after")
    def each_to_fits_the_channel(self) -> Self:
        """Each e-mail goes to an e-mail address."""
        for recipient in self.recipients:
            _check_to(self.channel, recipient.to)
        return self


class SpreadRequest(StrictModel):
    """What of a batch is not sent yet goes out evenly over `spread_seconds`, from `after_seconds` from now on."""

    spread_seconds: Annotated[StrictInt, Field(ge=0, le=MAX_SPREAD_SECONDS)]
    after_seconds: Annotated[StrictInt, Field(ge=0, le=MAX_SPREAD_SECONDS)] = 0


class FailRequest(StrictModel):
    """Why it counts as failed."""

    reason: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")] = "failed by request"


class OptOutRequest(StrictModel):
    """A topic by a channel that the customer does not want; "*" stands for all."""

    topic: Topic | Literal["*"]
    channel: Channel | Literal["*"]


class PreferencesRequest(StrictModel):
    """All that the customer does not want: it replaces what was there."""

    opted_out: Annotated[list[OptOutRequest], Field(max_length=(len(Topic) + 1) * (len(Channel) + 1))]

    def opt_outs(self) -> tuple[OptOut, ...]:
        """The opt-outs without repeats, sorted."""
        found = {OptOut(str(one.topic), str(one.channel)) for one in self.opted_out}
        return tuple(sorted(found, key=str))

    def canonical(self) -> str:
        """The request as one text."""
        return ",".join(str(one) for one in self.opt_outs())
