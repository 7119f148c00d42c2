"""The checkout's HTTP API, part of the order service's."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Request, Response
from pydantic import BaseModel

from lakeproof.deadline import Deadline
from lakeproof_shop.services.checkout.models import Checkout, Step, Undoing
from lakeproof_shop.services.checkout.requests import KEY_PATTERN, CheckoutRequest
from lakeproof_shop.services.checkout.saga import Saga
from lakeproof_shop.services.checkout.store import CheckoutStore, KeyReused
from lakeproof_shop.services.payment.cards import DECLINING
from lakeproof_shop.serving.answering import EVERY_ROUTE_SAYS, NO_KEY_SAYS, answer_within, headers_of
from lakeproof_shop.serving.refusal import Refusal, Says, json_response, refusals
from lakeproof_shop.serving.times import iso
from lakeproof_shop.serving.traces import trace_id

router = APIRouter(tags=["checkouts"], responses=EVERY_ROUTE_SAYS)

CheckoutKey = Annotated[
    str,
    Header(
        pattern=KEY_PATTERN,
        description="The checkout's name. The same key with the same request buys once; with another: 422.",
    ),
]
# The part of a request's time that is kept for the answer itself, after the last step that the request waits for.
_MARGIN_SECONDS = 0.3


class CheckoutBody(BaseModel):
    """A checkout. bought: paid, and the rest follows by itself. failed: nothing is owed, `reason` says why.

    Of one that is bought, `reason` says why the newest wish to cancel or return it was refused.
    """

    key: str
    status: Literal["under_way", "bought", "failed", "cancelled", "returned"]
    next_step: str
    order_id: int | None
    payment_id: int | None
    reservation_id: str | None
    fulfillment_id: int | None
    reason: str | None
    message: str | None
    created_at: str
    updated_at: str


_SAYS: Says = {
    200: {"model": CheckoutBody, "description": "This key made the checkout before; here it is as it is now."},
    202: {
        "model": CheckoutBody,
        "description": "Under way: a service has not answered clearly. Ask again by its key.",
    },
    402: {"model": CheckoutBody, "description": "The card was declined; nothing is owed."},
    409: {
        "model": CheckoutBody,
        "description": "The order cannot be fulfilled (`reason` says why); nothing is owed.",
    },
    **NO_KEY_SAYS,
}
_NOT_FOUND = refusals({404: "No such checkout."})


@dataclass(frozen=True)
class CheckoutApi:
    """What the routes need; app.py puts it into `app.state.checkouts`."""

    store: CheckoutStore
    saga: Saga
    request_seconds: float

    async def buy(self, key: str, request: CheckoutRequest) -> tuple[Checkout, bool]:
        """Begin the checkout of `key` and work on it for as long as a request may take (True), or find it (False)."""
        whole = Deadline(self.request_seconds)
        try:
            checkout, owner = await answer_within(
                self.request_seconds, lambda deadline: self.store.begin(key, request, trace_id.get(), deadline)
            )
        except KeyReused as error:
            raise Refusal(422, "key_reused", str(error)) from error
        if owner is None:
            return checkout, False
        # The checkout has begun: whatever happens now, the answer is the checkout as it was last known.
        return await self.saga.run(checkout, owner, Deadline(max(0.0, whole.left - _MARGIN_SECONDS))), True

    async def undo(self, key: str, undoing: Undoing) -> Checkout:
        """Cancel or return a purchase, working for as long as a request may take. Raises: Refusal where it cannot be
        undone.
        """
        whole, first = Deadline(self.request_seconds), undoing.steps[0]
        found = await answer_within(self.request_seconds, lambda deadline: self.store.reopen(key, first, deadline))
        if found is None:
            raise Refusal(404, "not_found", f"no checkout {key}")
        checkout, owner = found
        if owner is not None:
            checkout = await self.saga.run(checkout, owner, Deadline(max(0.0, whole.left - _MARGIN_SECONDS)))
        if checkout.step in undoing.steps:
            return checkout
        code, words = checkout.refusal if checkout.step is Step.DONE and checkout.refusal else ("not_allowed", "")
        ago = " a moment ago" if checkout.step.is_bought and not checkout.step.is_end else ""
        raise Refusal(409, code, words or f"cannot {undoing} a checkout that is {_state(checkout.step)}{ago}")


def _state(step: Step) -> str:
    return "bought" if step.is_bought else step.value if step.is_end else "under_way"


def _body(checkout: Checkout) -> dict[str, Any]:
    code, message = checkout.refusal or (None, None)
    return {
        "key": checkout.key,
        "status": _state(checkout.step),
        "next_step": checkout.step.value,
        "order_id": checkout.order_id,
        "payment_id": checkout.payment_id,
        "reservation_id": checkout.reservation_id,
        "fulfillment_id": checkout.fulfillment_id,
        "reason": code,
        "message": message,
        "created_at": iso(checkout.created_at),
        "updated_at": iso(checkout.updated_at),
    }


def _status(checkout: Checkout, *, begun: bool) -> int:
    if checkout.step.is_bought:
        return 201 if begun else 200
    if checkout.step in (Step.CANCELLED, Step.RETURNED):
        return 200
    if checkout.step is not Step.FAILED:
        return 202
    return 402 if checkout.refusal and checkout.refusal[0] in DECLINING.values() else 409


@router.post("/checkouts", status_code=201, response_model=CheckoutBody, responses=_SAYS)
async def buy(request: Request, body: CheckoutRequest, idempotency_key: CheckoutKey) -> Response:
    """Buy a basket: hold the goods, make the order, authorize and take the money, send the parcel, tell the buyer."""
    api: CheckoutApi = request.app.state.checkouts
    checkout, begun = await api.buy(idempotency_key, body)
    return json_response(_body(checkout), _status(checkout, begun=begun), headers_of(replayed=not begun))


@router.get(
    "/checkouts/{key}",
    response_model=CheckoutBody,
    responses=_NOT_FOUND,
)
async def get_checkout(request: Request, key: Annotated[str, Path(pattern=KEY_PATTERN)]) -> Response:
    """A checkout as it is now."""
    api: CheckoutApi = request.app.state.checkouts
    found = await answer_within(api.request_seconds, lambda deadline: api.store.find(key, deadline))
    if found is None:
        raise Refusal(404, "not_found", f"no checkout {key}")
    return json_response(_body(found))


_UNDO_SAYS: Says = {
    202: {"model": CheckoutBody, "description": "Under way: it ends by itself. Ask again."},
    **_NOT_FOUND,
    **refusals({409: "It was not bought, or its parcel is not where it would have to be."}),
}


@router.post("/checkouts/{key}/cancel", response_model=CheckoutBody, responses=_UNDO_SAYS)
async def cancel_checkout(request: Request, key: Annotated[str, Path(pattern=KEY_PATTERN)]) -> Response:
    """Cancel what was bought and is not shipped: parcel stopped, money and goods given back. A repeat acts once."""
    return await _undo(request, key, Undoing.CANCEL)


@router.post("/checkouts/{key}/return", response_model=CheckoutBody, responses=_UNDO_SAYS)
async def return_checkout(request: Request, key: Annotated[str, Path(pattern=KEY_PATTERN)]) -> Response:
    """What was shipped came back: money given back, goods on the shelf again. A repeat acts once."""
    return await _undo(request, key, Undoing.RETURN)


async def _undo(request: Request, key: str, undoing: Undoing) -> Response:
    api: CheckoutApi = request.app.state.checkouts
    checkout = await api.undo(key, undoing)
    return json_response(_body(checkout), 200 if checkout.step.is_end else 202)
