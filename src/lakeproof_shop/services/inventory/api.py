"""The inventory service's HTTP API. Every change is safe to repeat: by Idempotency-Key or the reservation's id."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response

from lakeproof.deadline import Deadline
from lakeproof_shop.names import SKU_PATTERN
from lakeproof_shop.services.inventory.models import InventoryRefused
from lakeproof_shop.services.inventory.requests import ReceiptRequest, ReservationRequest
from lakeproof_shop.services.inventory.reservation import Reservation, Stock
from lakeproof_shop.services.inventory.store import InventoryStore
from lakeproof_shop.serving.answering import EVERY_ROUTE_SAYS, NO_KEY_SAYS, RequiredKey, answer_within, headers_of
from lakeproof_shop.serving.refusal import Refusal, json_response, refusals

router = APIRouter(tags=["inventory"], responses=EVERY_ROUTE_SAYS)

SkuPath = Annotated[str, Path(pattern=SKU_PATTERN, examples=["sku-0042"])]
ReservationId = Annotated[UUID, Path()]

_STATUS_OF = {
    "not_found": 404,
    "key_reused": 422,
    "not_allowed": 409,
    "out_of_stock": 409,
    "reservation_expired": 409,
    "expired_before_held": 409,
}
_NOT_FOUND = refusals({404: "There is no such SKU or reservation."})
_END_SAYS = _NOT_FOUND | refusals(
    {409: "It was released or sold before, or it has expired and the goods are not on hand any more."}
)


@dataclass(frozen=True)
class InventoryApi:
    """What the routes need; app.py puts it into `app.state.inventory`."""

    store: InventoryStore
    request_seconds: float

    async def answer[T](self, call: Callable[[Deadline], Awaitable[T]]) -> T:
        """Run one request's work within `request_seconds`. Raises: Refusal for everything that is not a success."""
        try:
            return await answer_within(self.request_seconds, call)
        except InventoryRefused as error:
            fields = (("lines", f"{error.sku}: {error}"),) if error.sku else ()
            raise Refusal(_STATUS_OF[error.why], error.why, str(error), fields=fields) from error


def _api(request: Request) -> InventoryApi:
    api: InventoryApi = request.app.state.inventory
    return api


def _response(body: Reservation | Stock, *, replayed: bool, made: int = 200) -> Response:
    return json_response(body, 200 if replayed else made, headers_of(replayed=replayed))


@router.post("/stock/{sku}/receive", response_model=Stock, responses=NO_KEY_SAYS)
async def receive_stock(
    request: Request, sku: SkuPath, body: ReceiptRequest, idempotency_key: RequiredKey
) -> Response:
    """Goods came in; the stock after it."""
    api, units = _api(request), body.quantity
    stock, replayed = await api.answer(lambda deadline: api.store.receive(sku, units, idempotency_key, deadline))
    return _response(stock, replayed=replayed)


@router.get("/stock/{sku}", response_model=Stock, responses=_NOT_FOUND)
async def get_stock(request: Request, sku: SkuPath) -> Response:
    """One SKU's totals, with every change that was acknowledged."""
    api = _api(request)
    stock = await api.answer(lambda deadline: api.store.stock(sku, deadline))
    if stock is None:
        raise Refusal(404, "not_found", f"nothing of {sku} ever came in")
    return json_response(stock)


@router.post(
    "/reservations",
    status_code=201,
    response_model=Reservation,
    responses={
        **NO_KEY_SAYS,
        200: {"model": Reservation, "description": "This key made it before; here it is as it is now."},
        **refusals({409: "Too few of a SKU are on hand, or the key has expired."}),
    },
)
async def reserve(request: Request, body: ReservationRequest, idempotency_key: RequiredKey) -> Response:
    """Hold everything that an order wants, or nothing. It ends by itself unless it is confirmed in time."""
    api = _api(request)
    made, replayed = await api.answer(lambda deadline: api.store.reserve(body, idempotency_key, deadline))
    return _response(made, replayed=replayed, made=201)


@router.get("/reservations/{reservation_id}", response_model=Reservation, responses=_NOT_FOUND)
async def get_reservation(request: Request, reservation_id: ReservationId) -> Response:
    """A reservation as it is now."""
    api = _api(request)
    return json_response(await api.answer(lambda deadline: api.store.find(reservation_id, deadline)))


@router.post("/reservations/{reservation_id}/confirm", response_model=Reservation, responses=_END_SAYS)
async def confirm(request: Request, reservation_id: ReservationId) -> Response:
    """Sell what it holds. One that has expired is sold where the goods are still on hand, else refused."""
    api = _api(request)
    sold, replayed = await api.answer(lambda deadline: api.store.confirm(reservation_id, deadline))
    return _response(sold, replayed=replayed)


@router.post("/reservations/{reservation_id}/release", response_model=Reservation, responses=_END_SAYS)
async def release(request: Request, reservation_id: ReservationId) -> Response:
    """Give back what it holds."""
    api = _api(request)
    released, replayed = await api.answer(lambda deadline: api.store.release(reservation_id, deadline))
    return _response(released, replayed=replayed)
