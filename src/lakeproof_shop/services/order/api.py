"""The order service's HTTP API. Every change is safe to repeat: by a key, by the expected version, or by both."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import BaseModel

from lakeproof.deadline import Deadline
from lakeproof_shop.services.checkout.models import checkout_key_of
from lakeproof_shop.services.order.models import Op, Order
from lakeproof_shop.services.order.requests import CreateRequest, ItemsRequest
from lakeproof_shop.services.order.store import Changed, OrderRefused, OrderStore
from lakeproof_shop.serving.answering import (
    EVERY_ROUTE_SAYS,
    KEY_PATTERN,
    IdempotencyKey,
    answer_within,
    headers_of,
    one_key,
)
from lakeproof_shop.serving.operation import operation
from lakeproof_shop.serving.refusal import Outcome, Refusal, json_response, refusals

router = APIRouter(tags=["orders"], responses=EVERY_ROUTE_SAYS)

OrderId = Annotated[int, Path(ge=1, le=2**63 - 1)]
IfMatch = Annotated[
    str | None, Header(description='The version that the caller knows, as in the answer\'s ETag: "3". Else 412.')
]

_STATUS_OF = {
    "not_found": 404,
    "done_and_gone": 410,
    "key_reused": 422,
    "version_differs": 412,
    "not_allowed": 409,
    "client_key_taken": 409,
}
_NOT_FOUND = refusals({404: "No such order.", 410: "The order was deleted."})
_CHANGE_SAYS = _NOT_FOUND | refusals(
    {
        409: "The order's status does not allow it.",
        412: "The order has another version than If-Match says.",
        428: "Neither Idempotency-Key nor If-Match was given.",
    }
)


class ItemBody(BaseModel):
    """One line of an order."""

    id: int
    line: int
    sku: str
    quantity: int
    unit_price: str


class OrderBody(BaseModel):
    """An order. Money: decimal strings at scale 2. Times: ISO 8601, UTC, microseconds."""

    id: int
    client_key: str
    customer_id: int
    status: Literal["created", "paid", "cancelled", "returned"]
    total: str
    item_count: int
    version: int
    created_at: str
    updated_at: str
    items: list[ItemBody]


class OrdersBody(BaseModel):
    """The orders found: none or one."""

    orders: list[OrderBody]


class DeletedBody(BaseModel):
    """A deleted order; `version` is that of its deletion."""

    id: int
    version: int
    deleted: Literal[True]


@dataclass(frozen=True)
class OrderApi:
    """What the routes need; app.py puts it into `app.state.orders`."""

    store: OrderStore
    request_seconds: float

    async def answer[T](self, call: Callable[[Deadline], Awaitable[T]]) -> T:
        """Run one request's work within `request_seconds`. Raises: Refusal for everything that is not a success."""
        try:
            return await answer_within(self.request_seconds, call)
        except OrderRefused as error:
            outcome: Outcome = "done" if error.why == "done_and_gone" else "not_done"
            raise Refusal(
                _STATUS_OF[error.why], error.why, str(error), outcome=outcome, headers=headers_of(error.version)
            ) from error


def _api(request: Request) -> OrderApi:
    api: OrderApi = request.app.state.orders
    return api


def _version(if_match: str | None) -> int | None:
    if if_match is None:
        return None
    found = re.fullmatch(r'"?(\d{1,9})"?', if_match.strip())
    if not found:
        raise Refusal(422, "invalid", "If-Match is no version", fields=(("header.if-match", 'expected like "3"'),))
    return int(found.group(1))


def _order_response(order: Order, status: int, *, replayed: bool = False) -> Response:
    return json_response(order, status, headers_of(order.version, replayed=replayed))


def _changed_response(changed: Changed) -> Response:
    if changed.order is not None:
        return _order_response(changed.order, 200, replayed=changed.replayed)
    deleted = {"id": changed.order_id, "version": changed.version, "deleted": True}
    return json_response(deleted, 200, headers_of(replayed=changed.replayed))


@router.post(
    "/orders",
    status_code=201,
    response_model=OrderBody,
    responses={
        200: {"model": OrderBody, "description": "This key made the order before; here it is as it is now."},
        **refusals({409: "The client key is taken.", 410: "This key made an order that was deleted since."}),
    },
)
async def create_order(request: Request, body: CreateRequest, idempotency_key: IdempotencyKey = None) -> Response:
    """Make an order. The key (header, or `client_key` in the body) is the order's identity for its caller."""
    key = one_key(idempotency_key, body.client_key)
    if checkout_key_of(key) is not None:
        raise Refusal(422, "invalid", "keys of this kind are the checkout's", fields=(("client_key", "reserved"),))
    asked = operation(Op.CREATE, key, None, body.canonical())
    changed = await _api(request).answer(lambda deadline: _api(request).store.create(body, asked, deadline))
    assert changed.order is not None
    return _order_response(changed.order, 200 if changed.replayed else 201, replayed=changed.replayed)


@router.get("/orders", response_model=OrdersBody)
async def find_orders(request: Request, client_key: Annotated[str, Query(pattern=KEY_PATTERN)]) -> Response:
    """The order of a client key, in a list that is empty where there is none."""
    order = await _api(request).answer(lambda deadline: _api(request).store.find_by_key(client_key, deadline))
    return json_response({"orders": [] if order is None else [order]})


@router.get("/orders/{order_id}", response_model=OrderBody, responses=_NOT_FOUND)
async def get_order(request: Request, order_id: OrderId) -> Response:
    """One order with its items."""
    store = _api(request).store

    async def look(deadline: Deadline) -> tuple[Order | None, bool]:
        order = await store.find(order_id, deadline)
        return order, order is None and await store.was_deleted(order_id, deadline)

    order, was_deleted = await _api(request).answer(look)
    if order is not None:
        return _order_response(order, 200)
    if was_deleted:
        raise Refusal(410, "gone", f"order {order_id} was deleted")
    raise Refusal(404, "not_found", f"no order {order_id}")


@router.post("/orders/{order_id}/pay", response_model=OrderBody, responses=_CHANGE_SAYS)
async def pay_order(
    request: Request, order_id: OrderId, idempotency_key: IdempotencyKey = None, if_match: IfMatch = None
) -> Response:
    """Mark a created order as paid."""
    return await _change(request, Op.PAY, order_id, idempotency_key, if_match)


@router.patch("/orders/{order_id}", response_model=OrderBody, responses=_CHANGE_SAYS)
async def change_order(
    request: Request,
    order_id: OrderId,
    body: ItemsRequest,
    idempotency_key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Response:
    """Replace the items of a created order; lines that stay keep their ids."""
    return await _change(request, Op.CHANGE, order_id, idempotency_key, if_match, body)


@router.post("/orders/{order_id}/cancel", response_model=OrderBody, responses=_CHANGE_SAYS)
async def cancel_order(
    request: Request, order_id: OrderId, idempotency_key: IdempotencyKey = None, if_match: IfMatch = None
) -> Response:
    """Cancel a created or paid order."""
    return await _change(request, Op.CANCEL, order_id, idempotency_key, if_match)


@router.delete("/orders/{order_id}", response_model=DeletedBody, responses=_CHANGE_SAYS)
async def delete_order(
    request: Request, order_id: OrderId, idempotency_key: IdempotencyKey = None, if_match: IfMatch = None
) -> Response:
    """Delete an order and its items for good; its events stay."""
    return await _change(request, Op.DELETE, order_id, idempotency_key, if_match)


async def _change(
    request: Request,
    op: Op,
    order_id: int,
    key: str | None,
    if_match: str | None,
    items: ItemsRequest | None = None,
) -> Response:
    version = _version(if_match)
    if key is None and version is None:
        raise Refusal(428, "precondition_required", "give Idempotency-Key or If-Match, so that a retry is safe")
    api = _api(request)
    asked = operation(op, key, order_id, items.canonical() if items is not None else "")
    changed = await api.answer(
        lambda deadline: api.store.change(order_id, asked, deadline, expected_version=version, items=items)
    )
    return _changed_response(changed)
