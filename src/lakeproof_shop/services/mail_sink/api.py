"""The sink over HTTP: it takes webhooks, lists and clears the kept messages, and sets the account's refusal."""

import re
import uuid
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, Field

from lakeproof.strict_model import StrictModel
from lakeproof_shop.services.mail_sink.account import Account
from lakeproof_shop.services.mail_sink.log import MessageLog, NotKept
from lakeproof_shop.services.mail_sink.messages import MAX_BODY, MAX_SUBJECT, Channel, Message, now
from lakeproof_shop.serving.gate import CHARACTER_BYTES, RouteLimit
from lakeproof_shop.serving.refusal import Refusal, json_response, refusals
from lakeproof_shop.serving.traces import trace_id

router = APIRouter(tags=["sink"])

MAX_TO = 2048
WEBHOOK_LIMIT = RouteLimit("POST", re.compile("/webhook"), CHARACTER_BYTES * (MAX_TO + MAX_SUBJECT + MAX_BODY) + 4096)

Text = Annotated[str, Query(max_length=998)]
_NOT_TAKEN = refusals({503: "The account is refused, or the disk does not take the message in time."})


class MessagesBody(BaseModel):
    """A page of messages, oldest first; `next` is the `after` of the next page."""

    messages: list[Message]
    next: int | None


class CountBody(BaseModel):
    """Messages kept, and how often any of them came again."""

    messages: int
    repeats: int


class ClearedBody(BaseModel):
    """How many messages were forgotten."""

    deleted: int


class WebhookRequest(BaseModel):
    """A notification by webhook."""

    to: Annotated[str, Field(max_length=MAX_TO)] = ""
    subject: Annotated[str, Field(max_length=MAX_SUBJECT)] = ""
    body: Annotated[str, Field(max_length=MAX_BODY)] = ""


class WebhookBody(BaseModel):
    """`repeated`: the same key had come before, and nothing was kept a second time."""

    accepted: bool
    repeated: bool


class AccountBody(StrictModel):
    """`refusal`: what every sender is answered, such as "451 4.7.1 over the limit"; "" where messages are taken."""

    refusal: Annotated[str, Field(pattern=r"^([45]\d\d [ -~]{1,200})?$")]


def _account(request: Request) -> Account:
    account: Account = request.app.state.account
    return account


def _log(request: Request) -> MessageLog:
    log: MessageLog = request.app.state.messages
    return log


@router.get("/messages", response_model=MessagesBody)
async def read_messages(
    request: Request,
    to: Text | None = None,
    message_id: Text | None = None,
    channel: Channel | None = None,
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """The kept messages, by recipient, by id, or all of them page by page."""
    found = await _log(request).find(limit, to=to, channel=channel, message_id=message_id, after=after)
    return json_response({"messages": found, "next": found[-1].seq if len(found) == limit else None})


@router.get("/messages/count", response_model=CountBody)
async def count_messages(request: Request) -> Response:
    """How many messages are kept."""
    messages, repeats = _log(request).count()
    return json_response({"messages": messages, "repeats": repeats})


@router.delete("/messages", response_model=ClearedBody)
async def clear_messages(request: Request) -> Response:
    """Forget all messages."""
    return json_response({"deleted": await _log(request).clear()})


@router.post("/webhook", response_model=WebhookBody, responses=_NOT_TAKEN)
async def receive_webhook(
    request: Request,
    body: WebhookRequest,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """Take a webhook; 200 is said only after the message is on the disk."""
    message_id = idempotency_key or uuid.uuid4().hex
    message = Message(
        *("webhook", message_id, "", (body.to,), body.subject, body.body, now()), trace_id=trace_id.get()
    )
    if _account(request).refusal:
        raise Refusal(503, "not_taken", _account(request).refusal, headers={"retry-after": "1"})
    try:
        is_new = await _log(request).accept(message)
    except NotKept as error:
        raise Refusal(503, "not_taken", str(error), headers={"retry-after": "1"}) from error
    return json_response({"accepted": True, "repeated": not is_new})


@router.get("/account", response_model=AccountBody)
async def read_account(request: Request) -> Response:
    """Whether messages are taken."""
    return json_response({"refusal": _account(request).refusal})


@router.put("/account", response_model=AccountBody)
async def set_account(request: Request, body: AccountBody) -> Response:
    """Refuse every message from now on, also after a restart, or take them again."""
    _account(request).set_refusal(body.refusal)
    return json_response({"refusal": body.refusal})
