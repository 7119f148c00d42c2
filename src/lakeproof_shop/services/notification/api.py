"""The notification service's HTTP API. Every change is safe to repeat."""

import math
import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from lakeproof.deadline import Deadline
from lakeproof_shop.names import MAX_CUSTOMER_ID
from lakeproof_shop.services.notification.models import Notification, Preferences
from lakeproof_shop.services.notification.preference_store import PreferenceStore
from lakeproof_shop.services.notification.requests import (
    BATCH_BYTES,
    CONTENT_BYTES,
    BatchRequest,
    CreateRequest,
    FailRequest,
    PreferencesRequest,
    SpreadRequest,
)
from lakeproof_shop.services.notification.sender import DeliveryFailed, RateLimited, Sender
from lakeproof_shop.services.notification.store import Batch, NotificationStore
from lakeproof_shop.serving.answering import EVERY_ROUTE_SAYS, IdempotencyKey, answer_within, headers_of, one_key
from lakeproof_shop.serving.gate import RouteLimit
from lakeproof_shop.serving.operation import RuleRefused, operation
from lakeproof_shop.serving.refusal import Refusal, json_response, refusals

router = APIRouter(tags=["notifications"], responses=EVERY_ROUTE_SAYS)

ROUTE_LIMITS = (
    RouteLimit("POST", re.compile("/notifications"), CONTENT_BYTES),
    RouteLimit("POST", re.compile("/notifications/batches"), BATCH_BYTES),
)

NotificationId = Annotated[uuid.UUID, Path()]
CustomerId = Annotated[int, Path(alias="customerId", ge=1, le=MAX_CUSTOMER_ID)]

_STATUS_OF = {"not_found": 404, "key_reused": 422, "not_allowed": 409, "being_sent": 409}
_NOT_FOUND = refusals({404: "There is no such notification or batch."})
_FAIL_SAYS = _NOT_FOUND | refusals({409: "Its status does not allow it, or somebody is sending it right now."})
_SEND_SAYS = _FAIL_SAYS | refusals(
    {
        429: "Over the limit; Retry-After says when there is room.",
        502: "The provider did not take it; it is tried again by itself.",
    }
)


@dataclass(frozen=True)
class NotificationApi:
    """What the routes need. `wake` tells the workers that there is something to send."""

    store: NotificationStore
    preferences: PreferenceStore
    sender: Sender
    request_seconds: float
    wake: Callable[[], None]

    async def answer[T](self, call: Callable[[Deadline], Awaitable[T]]) -> T:
        """Run one request's work within `request_seconds`. Raises: Refusal for everything that is not a success."""
        try:
            return await answer_within(self.request_seconds, call)
        except RuleRefused as error:
            headers = {"retry-after": "1"} if error.why == "being_sent" else None
            raise Refusal(_STATUS_OF[error.why], error.why, str(error), headers=headers) from error
        except RateLimited as error:
            wait = {"retry-after": str(math.ceil(error.retry_seconds))}
            raise Refusal(429, "rate_limited", str(error), headers=wait) from error
        except DeliveryFailed as error:
            again = f"it is tried again at {error.due_at}" if error.due_at else "it is not tried again by itself"
            raise Refusal(
                502,
                "provider_failed",
                f"the provider did not take it: {error}; {again}",
                outcome="unclear" if error.unclear else "not_done",
            ) from error


def _api(request: Request) -> NotificationApi:
    api: NotificationApi = request.app.state.notifications
    return api


def _response(notification: Notification, status: int = 200, *, replayed: bool = False) -> Response:
    return json_response(notification, status, headers_of(notification.version, replayed=replayed))


@router.post(
    "/notifications",
    status_code=201,
    response_model=Notification,
    responses={
        200: {"model": Notification, "description": "This key made it before; here it is as it is now."},
    },
)
async def create_notification(
    request: Request, body: CreateRequest, idempotency_key: IdempotencyKey = None
) -> Response:
    """Make a notification. It is sent by a call of /send."""
    api, asked = _api(request), operation("create", one_key(idempotency_key, body.client_key), None, body.canonical())
    changed = await api.answer(lambda deadline: api.store.create(body, asked, deadline))
    return _response(changed.notification, 200 if changed.replayed else 201, replayed=changed.replayed)


@router.post(
    "/notifications/batches",
    status_code=201,
    response_model=Batch,
    responses={
        200: {"model": Batch, "description": "This key made it before; here it is as it is now."},
    },
)
async def create_batch(request: Request, body: BatchRequest, idempotency_key: IdempotencyKey = None) -> Response:
    """The same message to many people, sent one after the other, evenly spread over `spread_seconds`."""
    api, asked = _api(request), operation("batch", one_key(idempotency_key, body.client_key), None, body.canonical())
    batch, replayed = await api.answer(lambda deadline: api.store.create_batch(body, asked, deadline))
    api.wake()
    return json_response(batch, 200 if replayed else 201, headers_of(replayed=replayed))


@router.get("/notifications/batches/{batch_id:uuid}", response_model=Batch, responses=_NOT_FOUND)
async def get_batch(request: Request, batch_id: NotificationId) -> Response:
    """How far a batch has come."""
    api = _api(request)
    return _batch(await api.answer(lambda deadline: api.store.batch(batch_id, deadline)), batch_id)


@router.post("/notifications/batches/{batch_id:uuid}/spread", response_model=Batch, responses=_NOT_FOUND)
async def spread_batch(request: Request, batch_id: NotificationId, body: SpreadRequest) -> Response:
    """Spread what waits of a batch anew, so that its customers stay below the limit."""
    api = _api(request)
    return _batch(await api.answer(lambda deadline: api.store.spread_batch(batch_id, body, deadline)), batch_id)


@router.post("/notifications/batches/{batch_id:uuid}/withdraw", response_model=Batch, responses=_NOT_FOUND)
async def withdraw_batch(request: Request, batch_id: NotificationId) -> Response:
    """Call a batch off: what was not sent is dropped, with the reason `withdrawn`."""
    api = _api(request)
    return _batch(await api.answer(lambda deadline: api.store.withdraw_batch(batch_id, deadline)), batch_id)


def _batch(batch: Batch | None, batch_id: uuid.UUID) -> Response:
    if batch is None:
        raise Refusal(404, "not_found", f"no batch {batch_id}")
    return json_response(batch)


@router.get("/notifications/preferences/{customerId}", response_model=Preferences)
async def get_preferences(request: Request, customer_id: CustomerId) -> Response:
    """What a customer does not want."""
    api = _api(request)
    return _preferences(await api.answer(lambda deadline: api.preferences.find(customer_id, deadline)))


@router.put("/notifications/preferences/{customerId}", response_model=Preferences)
async def put_preferences(
    request: Request, customer_id: CustomerId, body: PreferencesRequest, idempotency_key: IdempotencyKey = None
) -> Response:
    """Replace what a customer does not want; the same again changes nothing."""
    api, asked = _api(request), operation("preferences", idempotency_key, customer_id, body.canonical())
    opted_out = body.opt_outs()
    return _preferences(
        await api.answer(lambda deadline: api.preferences.replace(customer_id, opted_out, asked, deadline))
    )


@router.get("/notifications/{notification_id:uuid}", response_model=Notification, responses=_NOT_FOUND)
async def get_notification(request: Request, notification_id: NotificationId) -> Response:
    """One notification."""
    api = _api(request)
    return _response(await api.answer(lambda deadline: api.store.get(notification_id, deadline)))


@router.post("/notifications/{notification_id:uuid}/send", response_model=Notification, responses=_SEND_SAYS)
async def send_notification(
    request: Request, notification_id: NotificationId, idempotency_key: IdempotencyKey = None
) -> Response:
    """Send it now. One that is sent, or dropped because its customer does not want it, is answered as it is."""
    api, asked = _api(request), operation("send", idempotency_key, notification_id)

    async def send(deadline: Deadline) -> Notification:
        if asked.key is not None:
            await api.store.take_key(asked, str(notification_id), deadline)
        return await api.sender.send(notification_id, deadline)

    return _response(await api.answer(send))


@router.post("/notifications/{notification_id:uuid}/fail", response_model=Notification, responses=_FAIL_SAYS)
async def fail_notification(
    request: Request,
    notification_id: NotificationId,
    body: FailRequest | None = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Mark it as failed (a rehearsal, or a provider's later complaint). A later call of /send may still send it."""
    api, reason = _api(request), (body or FailRequest()).reason
    asked = operation("fail", idempotency_key, notification_id, reason)
    changed = await api.answer(lambda deadline: api.store.fail(notification_id, reason, asked, deadline))
    return _response(changed.notification, replayed=changed.replayed)


def _preferences(found: Preferences) -> Response:
    return json_response(found, headers=headers_of(found.version))
