"""What each step of a checkout does. Every step is safe to repeat: its calls carry keys made from the checkout's key.

A step gives the values that the checkout's row keeps. Raises: ServiceRefused (a repeat would not help), NoClearWord.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from lakeproof.deadline import Deadline
from lakeproof_shop.services.checkout.models import Checkout, Step, order_key_of, restock_key
from lakeproof_shop.services.checkout.requests import CheckoutRequest
from lakeproof_shop.services.checkout.services import Calls, NoClearWord, ServiceRefused, Services
from lakeproof_shop.services.order.models import Op
from lakeproof_shop.services.order.requests import CreateRequest, ItemRequest
from lakeproof_shop.services.order.store import Changed, OrderRefused, OrderStore
from lakeproof_shop.serving.database.errors import DatabaseTrouble
from lakeproof_shop.serving.operation import operation
from lakeproof_shop.serving.times import iso

type Values = dict[str, Any]

# States of a payment in which the shop has money that it took.
_MONEY_TAKEN = frozenset({"captured", "partially_refunded"})
PROVIDER_FAILED = 502  # the answer to a send after which the notification service tries again by itself
NOTIFY_ATTEMPTS = 8  # about two minutes: then the purchase ends without its receipt


@dataclass(frozen=True)
class Steps:
    """The steps, as calls of the other services and changes of this service's own orders."""

    services: Services
    orders: OrderStore
    call_seconds: float

    async def do(self, checkout: Checkout, deadline: Deadline) -> Values:
        """Do the checkout's present step; all its calls end by `deadline`."""
        step = _Step(self.services.until(deadline), self.orders, min(self.call_seconds, deadline.left))
        try:
            return await step.do(checkout)
        except (KeyError, TypeError) as error:  # a success without the fields that a success has
            raise NoClearWord(f"{checkout.step}: an answer of another shape: {error!r}") from error


@dataclass(frozen=True)
class _Step:
    services: Calls
    orders: OrderStore
    call_seconds: float

    async def do(self, checkout: Checkout) -> Values:
        doers: dict[Step, Callable[[Checkout], Awaitable[Values]]] = {
            Step.RESERVE: self._reserve,
            Step.ORDER: self._order,
            Step.AUTHORIZE: self._authorize,
            Step.CONFIRM: self._confirm,
            Step.CAPTURE: self._capture,
            Step.PAY: self._pay,
            Step.LABEL: self._label,
            Step.NOTIFY: self._notify,
            Step.VOID: self._void,
            Step.RELEASE: self._release,
            Step.CANCEL: self._cancel,
            Step.RECALL: lambda one: self._parcel(one, "cancel"),
            Step.TAKE_BACK: lambda one: self._parcel(one, "return"),
            Step.REFUND: self._refund,
            Step.REPAY: self._refund,
            Step.RESTOCK: self._restock,
            Step.PUT_BACK: self._restock,
            Step.WITHDRAW: lambda one: self._change_order(one, Op.CANCEL),
            Step.RETURN: lambda one: self._change_order(one, Op.RETURN),
        }
        return await doers[checkout.step](checkout)

    async def _reserve(self, checkout: Checkout) -> Values:
        lines = [{"sku": item.sku, "quantity": item.quantity} for item in _asked(checkout).items]
        made = await self.services.post(
            "inventory-service",
            "/reservations",
            f"{checkout.key}:reserve",
            {"order_key": order_key_of(checkout.key), "lines": lines},
        )
        return {"reservation_id": made["id"]}

    async def _order(self, checkout: Checkout) -> Values:
        asked = _asked(checkout)
        items = [ItemRequest.model_construct(**vars(item)) for item in asked.items]
        request = CreateRequest.model_construct(customer_id=asked.customer_id, items=items)
        create = operation(Op.CREATE, order_key_of(checkout.key), None, request.canonical())
        made = await self._own(lambda deadline: self.orders.create(request, create, deadline))
        return {"order_id": made.order_id}

    async def _authorize(self, checkout: Checkout) -> Values:
        asked = _asked(checkout)
        body = {
            "order_id": checkout.order_id,
            "customer_id": asked.customer_id,
            "amount": str(asked.total),
            "card": asked.card,
        }
        made = await self.services.post("payment-service", "/payments", f"{checkout.key}:authorize", body)
        return {"payment_id": made["id"]}

    async def _confirm(self, checkout: Checkout) -> Values:
        path = f"/reservations/{checkout.reservation_id}/confirm"
        await self.services.post("inventory-service", path, f"{checkout.key}:confirm")
        return {"sold": True}

    async def _capture(self, checkout: Checkout) -> Values:
        path = f"/payments/{checkout.payment_id}/capture"
        try:
            await self.services.post("payment-service", path, f"{checkout.key}:capture")
        except ServiceRefused as error:
            if error.code != "not_allowed":
                raise
            payment = await self._payment(checkout)
            if payment["status"] != "captured" or Decimal(payment["captured"]) != _asked(checkout).total:
                raise
            # Captured by hand meanwhile, all of it: the step is done.
        return {}

    async def _pay(self, checkout: Checkout) -> Values:
        return await self._change_order(checkout, Op.PAY)

    async def _label(self, checkout: Checkout) -> Values:
        asked = _asked(checkout)
        body: Values = {
            "order_id": checkout.order_id,
            "address": asked.address.model_dump(mode="json"),
            "items": [{"sku": item.sku, "quantity": item.quantity} for item in asked.items],
        }
        if asked.keep_seconds:
            until = checkout.created_at + timedelta(seconds=asked.keep_seconds)  # the same at every try
            body["hold_until"] = iso(until)
        made = await self.services.post("fulfillment-service", "/fulfillments", f"{checkout.key}:label", body)
        return {"fulfillment_id": made["id"]}

    async def _notify(self, checkout: Checkout) -> Values:
        asked = _asked(checkout)
        if asked.email is None or checkout.attempts >= NOTIFY_ATTEMPTS:
            return {}
        body = {
            "customer_id": asked.customer_id,
            "channel": "email",
            "topic": "order",
            "to": asked.email,
            "subject": f"Receipt for order {checkout.order_id}",
            "body": "\n".join(
                [
                    *(f"{item.quantity} x {item.sku} at {item.unit_price:.2f}" for item in asked.items),
                    f"in all {asked.total}",
                ]
            ),
        }
        try:
            made = await self.services.post("notification-service", "/notifications", f"{checkout.key}:notify", body)
        except ServiceRefused:
            return {}  # opted out, or no such address: the purchase stands without it
        path = f"/notifications/{made['id']}/send"
        try:
            await self.services.post("notification-service", path, f"{checkout.key}:send")
        except ServiceRefused:
            return {}  # somebody is sending it, or it is sent
        except NoClearWord as error:
            if error.status != PROVIDER_FAILED:
                raise  # after any other answer, or none, the message is sent only if it is asked for again
        return {}

    async def _void(self, checkout: Checkout) -> Values:
        """Void the authorization, or refund the payment where it was captured by hand: nothing is owed afterwards."""
        if checkout.payment_id is None:
            return {}
        path = f"/payments/{checkout.payment_id}"
        try:
            await self.services.post("payment-service", f"{path}/void", f"{checkout.key}:void")
        except ServiceRefused as error:
            if error.code != "not_allowed":
                raise
            if (await self._payment(checkout))["status"] in _MONEY_TAKEN:
                await self.services.post("payment-service", f"{path}/refund", f"{checkout.key}:refund")
        return {}

    async def _release(self, checkout: Checkout) -> Values:
        if checkout.sold:
            return await self._restock(checkout)
        if checkout.reservation_id is None:
            return {}
        path = f"/reservations/{checkout.reservation_id}"
        try:
            await self.services.post("inventory-service", f"{path}/release", f"{checkout.key}:release")
        except ServiceRefused as error:
            if error.code == "not_found":  # so old that the service has forgotten it: nothing is held
                return {}
            if error.code != "not_allowed":
                raise
            if (await self.services.get("inventory-service", path))["state"] == "confirmed":  # sold by hand
                await self._restock(checkout)
                return {"sold": True}
        return {}

    async def _payment(self, checkout: Checkout) -> Values:
        return await self.services.get("payment-service", f"/payments/{checkout.payment_id}")

    async def _parcel(self, checkout: Checkout, what: str) -> Values:
        """Stop the parcel ("cancel": refused once it is shipped) or take it back ("return": refused before that)."""
        path = f"/fulfillments/{checkout.fulfillment_id}/{what}"
        await self.services.post("fulfillment-service", path, f"{checkout.key}:parcel:{what}")
        return {}

    async def _refund(self, checkout: Checkout) -> Values:
        """Refund all that was captured and not yet refunded. The payment service never gives back more."""
        path = f"/payments/{checkout.payment_id}/refund"
        try:
            await self.services.post("payment-service", path, f"{checkout.key}:refund")
        except ServiceRefused as error:
            if error.code != "not_allowed":
                raise
            # Refunded by hand meanwhile: a captured payment refuses for no other reason.
        return {}

    async def _restock(self, checkout: Checkout) -> Values:
        """Receive the sold goods into stock again, each line under a key of its own."""
        # All calls at once: one after the other they could take longer than the checkout is held.
        await asyncio.gather(
            *(
                self.services.post(
                    "inventory-service",
                    f"/stock/{item.sku}/receive",
                    restock_key(checkout.key, line),
                    {"quantity": item.quantity},
                )
                for line, item in enumerate(_asked(checkout).items)
            )
        )
        return {}

    async def _cancel(self, checkout: Checkout) -> Values:
        if checkout.order_id is None:
            return {}
        try:
            return await self._change_order(checkout, Op.CANCEL)
        except ServiceRefused:
            return {}  # deleted or cancelled by hand meanwhile: there is nothing to undo

    async def _change_order(self, checkout: Checkout, op: Op) -> Values:
        order_id = checkout.order_id
        assert order_id is not None
        change = operation(op, f"{checkout.key}:{op.value}", order_id, "")
        await self._own(lambda deadline: self.orders.change(order_id, change, deadline, by_checkout=True))
        return {}

    async def _own(self, call: Callable[[Deadline], Awaitable[Changed]]) -> Changed:
        """Change an order of this service. Refusals and troubles are raised as for the other services."""
        try:
            return await call(Deadline(self.call_seconds))
        except OrderRefused as error:
            raise ServiceRefused(error.why, f"order-service: {error}") from error
        except DatabaseTrouble as error:
            raise NoClearWord(f"order-service: {error}") from error


def _asked(checkout: Checkout) -> CheckoutRequest:
    return CheckoutRequest.of_stored(checkout.request)
