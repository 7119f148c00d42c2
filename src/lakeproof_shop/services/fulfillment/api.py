"""The fulfillment service's HTTP API. Every change needs Idempotency-Key and is safe to repeat."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from lakeproof.deadline import Deadline
from lakeproof_shop.services.fulfillment.models import Event, Fulfillment, Op, State
from lakeproof_shop.services.fulfillment.requests import (
    MAX_ID,
    AddressRequest,
    CreateRequest,
    HoldRequest,
    ItemRequest,
)
from lakeproof_shop.services.fulfillment.store import Changed, FulfillmentStore
from lakeproof_shop.serving.answering import EVERY_ROUTE_SAYS, NO_KEY_SAYS, RequiredKey, answer_within, headers_of
from lakeproof_shop.serving.operation import operation
from lakeproof_shop.serving.refusal import Refusal, json_response, refusals

router = APIRouter(tags=["fulfillments"], responses=EVERY_ROUTE_SAYS)

FulfillmentId = Annotated[int, Path(ge=1, le=MAX_ID)]

_STATUS_OF = {"not_found": 404, "key_reused": 422, "not_allowed": 409}
_NOT_FOUND = refusals({404: "No such fulfillment."})
_CHANGE_SAYS = _NOT_FOUND | NO_KEY_SAYS | refusals({409: "The fulfillment's status does not allow it."})


class FulfillmentBody(BaseModel):
    """A fulfillment with its changes, oldest first. Times: ISO 8601, UTC, microseconds."""

    id: int
    order_id: int
    status: State
    version: int
    tracking: str
    address: AddressRequest
    items: list[ItemRequest]
    hold_until: str | None
    requested_at: str
    updated_at: str
    shipped_at: str | None
    events: list[Event]


class FulfillmentsBody(BaseModel):
    """The fulfillments of an order, oldest first."""

    fulfillments: list[FulfillmentBody]


@dataclass(frozen=True)
class FulfillmentApi:
    """What the routes need. `wake` tells the worker that there is something to do."""

    store: FulfillmentStore
    request_seconds: float
    wake: Callable[[], None]

    async def answer[T](self, call: Callable[[Deadline], Awaitable[T]]) -> T:
        """Run one request's work within `request_seconds`. Raises: Refusal for everything that is not a success."""
        return await answer_within(self.request_seconds, call, _STATUS_OF)


def _api(request: Request) -> FulfillmentApi:
    api: FulfillmentApi = request.app.state.fulfillments
    return api


def _response(fulfillment: Fulfillment, status: int, *, replayed: bool = False) -> Response:
    return json_response(fulfillment, status, headers_of(fulfillment.version, replayed=replayed))


@router.post(
    "/fulfillments",
    status_code=201,
    response_model=FulfillmentBody,
    responses={
        **NO_KEY_SAYS,
        200: {"model": FulfillmentBody, "description": "This key made it before; here it is as it is now."},
    },
)
async def create_fulfillment(request: Request, body: CreateRequest, idempotency_key: RequiredKey) -> Response:
    """Ask for a parcel to be sent; the worker does the rest. Until `hold_until` its label stays under pending/."""
    api, asked = _api(request), operation(Op.CREATE, idempotency_key, None, body.canonical())
    changed = await api.answer(lambda deadline: api.store.create(body, asked, deadline))
    api.wake()
    return _response(changed.fulfillment, 200 if changed.replayed else 201, replayed=changed.replayed)


@router.get("/fulfillments", response_model=FulfillmentsBody)
async def find_fulfillments(request: Request, order_id: Annotated[int, Query(ge=1, le=MAX_ID)]) -> Response:
    """The fulfillments of an order, in a list that is empty where there is none."""
    api = _api(request)
    found = await api.answer(lambda deadline: api.store.find_by_order(order_id, deadline))
    return json_response({"fulfillments": found})


@router.get("/fulfillments/{fulfillment_id}", response_model=FulfillmentBody, responses=_NOT_FOUND)
async def get_fulfillment(request: Request, fulfillment_id: FulfillmentId) -> Response:
    """One fulfillment with its changes."""
    api = _api(request)
    found = await api.answer(lambda deadline: api.store.find(fulfillment_id, deadline))
    if found is None:
        raise Refusal(404, "not_found", f"no fulfillment {fulfillment_id}")
    return _response(found, 200)


@router.post("/fulfillments/{fulfillment_id}/hold", response_model=FulfillmentBody, responses=_CHANGE_SAYS)
async def hold_fulfillment(
    request: Request, fulfillment_id: FulfillmentId, body: HoldRequest, idempotency_key: RequiredKey
) -> Response:
    """Keep the label under pending/ until that time (null: release it). Refused once the label is ready."""
    asked = operation(Op.HOLD, idempotency_key, fulfillment_id, body.canonical())
    api = _api(request)
    changed = await api.answer(
        lambda deadline: api.store.change(fulfillment_id, asked, deadline, hold_until=body.hold_until)
    )
    return _changed(api, changed)


@router.post("/fulfillments/{fulfillment_id}/cancel", response_model=FulfillmentBody, responses=_CHANGE_SAYS)
async def cancel_fulfillment(
    request: Request, fulfillment_id: FulfillmentId, idempotency_key: RequiredKey
) -> Response:
    """Stop a parcel that is not shipped yet; its labels are taken away."""
    return await _simple(request, Op.CANCEL, fulfillment_id, idempotency_key)


@router.post("/fulfillments/{fulfillment_id}/return", response_model=FulfillmentBody, responses=_CHANGE_SAYS)
async def return_fulfillment(
    request: Request, fulfillment_id: FulfillmentId, idempotency_key: RequiredKey
) -> Response:
    """A shipped parcel came back."""
    return await _simple(request, Op.RETURN, fulfillment_id, idempotency_key)


async def _simple(request: Request, op: Op, fulfillment_id: int, key: str) -> Response:
    api, asked = _api(request), operation(op, key, fulfillment_id)
    return _changed(api, await api.answer(lambda deadline: api.store.change(fulfillment_id, asked, deadline)))


def _changed(api: FulfillmentApi, changed: Changed) -> Response:
    api.wake()
    return _response(changed.fulfillment, 200, replayed=changed.replayed)
