"""The payment service's HTTP API. Every change needs Idempotency-Key and may be repeated; a decline is an answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from lakeproof.deadline import Deadline
from lakeproof_shop.services.payment.models import Op, Payment
from lakeproof_shop.services.payment.requests import MAX_ID, AmountRequest, AuthorizeRequest
from lakeproof_shop.services.payment.store import Changed, PaymentStore
from lakeproof_shop.serving.answering import EVERY_ROUTE_SAYS, NO_KEY_SAYS, RequiredKey, answer_within, headers_of
from lakeproof_shop.serving.operation import operation
from lakeproof_shop.serving.refusal import Refusal, RefusalBody, json_response, refusals

router = APIRouter(tags=["payments"], responses=EVERY_ROUTE_SAYS)

PaymentId = Annotated[int, Path(ge=1, le=MAX_ID)]

_STATUS_OF = {
    "not_found": 404,
    "key_reused": 422,
    "order_has_payment": 409,
    "not_allowed": 409,
    "more_than_authorized": 409,
    "more_than_captured": 409,
}
_NOT_FOUND = refusals({404: "No such payment."})
_CHANGE_SAYS = _NOT_FOUND | NO_KEY_SAYS | refusals({409: "The payment's status or amounts do not allow it."})


class DeclinedBody(RefusalBody):
    """The bank said no: `error.code` says why, `payment` is the record of it."""

    payment: Payment


class PaymentsBody(BaseModel):
    """The payments of an order, oldest first."""

    payments: list[Payment]


class Declined(Refusal):
    """The card was declined; no money was moved, and the attempt is recorded."""

    def __init__(self, changed: Changed) -> None:
        self.payment = changed.payment
        code = changed.payment.decline_code or "card_declined"
        super().__init__(402, code, f"the card was declined: {code}", headers=_headers(changed))

    def to_json(self) -> dict[str, Any]:
        """The refusal with the payment."""
        return {**super().to_json(), "payment": self.payment}


@dataclass(frozen=True)
class PaymentApi:
    """What the routes need; app.py puts it into `app.state.payments`."""

    store: PaymentStore
    request_seconds: float

    async def answer[T](self, call: Callable[[Deadline], Awaitable[T]]) -> T:
        """Run one request's work within `request_seconds`. Raises: Refusal for everything that is not a success."""
        return await answer_within(self.request_seconds, call, _STATUS_OF)


def _api(request: Request) -> PaymentApi:
    api: PaymentApi = request.app.state.payments
    return api


def _headers(changed: Changed) -> dict[str, str]:
    return headers_of(changed.payment.version, replayed=changed.replayed)


@router.post(
    "/payments",
    status_code=201,
    response_model=Payment,
    responses={
        **NO_KEY_SAYS,
        **refusals({409: "The order has a payment that is authorized or captured."}),
        200: {"model": Payment, "description": "This key authorized it before; here is what was answered."},
        402: {"model": DeclinedBody, "description": "The card was declined. The same key gets the same answer."},
    },
)
async def authorize_payment(request: Request, body: AuthorizeRequest, idempotency_key: RequiredKey) -> Response:
    """Ask the card's bank for the amount. An order has at most one payment that is authorized or captured."""
    api, asked = _api(request), operation(Op.AUTHORIZE, idempotency_key, None, body.canonical())
    changed = await api.answer(lambda deadline: api.store.authorize(body, asked, deadline))
    if changed.payment.decline_code is not None:
        raise Declined(changed)
    return json_response(changed.payment, 200 if changed.replayed else 201, _headers(changed))


@router.get("/payments", response_model=PaymentsBody)
async def find_payments(request: Request, order_id: Annotated[int, Query(ge=1, le=MAX_ID)]) -> Response:
    """The payments of an order, the declined ones too, at most the newest 200; a list, be it empty."""
    api = _api(request)
    found = await api.answer(lambda deadline: api.store.find_by_order(order_id, deadline))
    return json_response({"payments": found})


@router.get("/payments/{payment_id}", response_model=Payment, responses=_NOT_FOUND)
async def get_payment(request: Request, payment_id: PaymentId) -> Response:
    """One payment as it is now."""
    api = _api(request)
    found = await api.answer(lambda deadline: api.store.find(payment_id, deadline))
    if found is None:
        raise Refusal(404, "not_found", f"no payment {payment_id}")
    return json_response(found, 200, headers_of(found.version))


@router.post("/payments/{payment_id}/capture", response_model=Payment, responses=_CHANGE_SAYS)
async def capture_payment(
    request: Request, payment_id: PaymentId, idempotency_key: RequiredKey, body: AmountRequest | None = None
) -> Response:
    """Take the money, all of it or less, once; what is not taken is released."""
    return await _change(request, Op.CAPTURE, payment_id, idempotency_key, body)


@router.post("/payments/{payment_id}/refund", response_model=Payment, responses=_CHANGE_SAYS)
async def refund_payment(
    request: Request, payment_id: PaymentId, idempotency_key: RequiredKey, body: AmountRequest | None = None
) -> Response:
    """Give back a part, or all that is left; together never more than was captured."""
    return await _change(request, Op.REFUND, payment_id, idempotency_key, body)


@router.post("/payments/{payment_id}/void", response_model=Payment, responses=_CHANGE_SAYS)
async def void_payment(request: Request, payment_id: PaymentId, idempotency_key: RequiredKey) -> Response:
    """Let go of an authorization that was not captured."""
    return await _change(request, Op.VOID, payment_id, idempotency_key, None)


async def _change(request: Request, op: Op, payment_id: int, key: str, body: AmountRequest | None) -> Response:
    api, how_much = _api(request), body or AmountRequest()
    asked = operation(op, key, payment_id, how_much.canonical())
    changed = await api.answer(lambda deadline: api.store.change(payment_id, asked, how_much.value, deadline))
    return json_response(changed.payment, 200, _headers(changed))
