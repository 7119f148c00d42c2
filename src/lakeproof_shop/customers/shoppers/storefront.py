"""A shopper's client of the order service, over HTTP: each call ends with an answer, a refusal, or no clear word."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import aiohttp
import orjson

from lakeproof_shop.customers.shoppers.plan import Basket
from lakeproof_shop.services.checkout.models import ENDS, checkout_key_of
from lakeproof_shop.services.order.models import Op, Order
from lakeproof_shop.serving.http_caller import HttpCaller

CONNECT_SECONDS = 2.0


class Word(StrEnum):
    """How a call ended. UNAVAILABLE: it was certainly not done, but a later try may succeed."""

    OK = "ok"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Answer:
    """`order` is None for a deletion and for every word but OK. `version`: the answer's, else 0."""

    word: Word
    reason: str = ""
    order: Order | None = None
    version: int = 0


class Shop(Protocol):
    """Where a shopper buys: over HTTP, or (for benchmarks) straight at the database."""

    async def create(self, key: str, customer_id: int, basket: Basket) -> Answer:
        """Make the order of `key`."""

    async def change(self, op: Op, order: Order, operation_key: str, basket: Basket | None) -> Answer:
        """Pay, change, cancel or delete `order`, which must still have the version that the caller knows."""

    async def read(self, key: str) -> Answer:
        """The order of `key`; OK without an order where there is none."""

    async def is_under_way(self, key: str) -> bool | None:
        """Whether a checkout may still make or change the order of `key` by itself; None: no answer."""


class Storefront(HttpCaller):
    """Calls the order service. `call_seconds`: after this time a call is given up as unclear."""

    def __init__(self, base_url: str, *, call_seconds: float) -> None:
        self._base_url = base_url.rstrip("/")
        # No limit on connections: a limit would make an open loop wait for answers.
        super().__init__(call_seconds=call_seconds, connect_seconds=CONNECT_SECONDS)

    async def create(self, key: str, customer_id: int, basket: Basket) -> Answer:
        """Make the order of `key`."""
        body = {"customer_id": customer_id, **_items(basket)}
        return await self._call("POST", "/orders", key, None, body)

    async def change(self, op: Op, order: Order, operation_key: str, basket: Basket | None) -> Answer:
        """Pay, change, cancel or delete `order`, which must still have the version that the caller knows."""
        path = f"/orders/{order.id}"
        body = _items(basket) if basket is not None else None
        method, path = {
            Op.PAY: ("POST", f"{path}/pay"),
            Op.CHANGE: ("PATCH", path),
            Op.CANCEL: ("POST", f"{path}/cancel"),
            Op.DELETE: ("DELETE", path),
        }[op]
        return await self._call(method, path, operation_key, order.version, body)

    async def read(self, key: str) -> Answer:
        """The order of `key`; OK without an order where there is none."""
        return await self._call("GET", f"/orders?client_key={key}", None, None, None)

    async def is_under_way(self, key: str) -> bool | None:
        """Whether a checkout may still make or change the order of `key`; None where nobody can tell."""
        checkout = checkout_key_of(key)
        if checkout is None:
            return False
        try:
            async with self._session.get(f"{self._base_url}/checkouts/{checkout}") as response:
                body = orjson.loads(await response.read())
                if response.status == 404:
                    return False
                return None if response.status != 200 else body["next_step"] not in ENDS
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError, KeyError, TypeError):
            return None

    async def _call(
        self, method: str, path: str, key: str | None, version: int | None, body: dict[str, Any] | None
    ) -> Answer:
        headers: dict[str, str] = {}
        if key is not None:
            headers["Idempotency-Key"] = key
            headers["X-Trace-Id"] = key  # so that the service's log lines can be found from a line of the ledger
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = orjson.dumps(body) if body is not None else None
        try:
            async with self._session.request(method, self._base_url + path, data=data, headers=headers) as response:
                raw = await response.read()
                return _read(response.status, raw)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Answer(Word.UNAVAILABLE, f"no connection ({type(error).__name__})")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            return Answer(Word.UNCLEAR, f"no answer ({type(error).__name__})")


def _read(status: int, raw: bytes) -> Answer:
    try:
        body = orjson.loads(raw)
        if status in (200, 201):
            if "orders" in body:
                body = body["orders"][0] if body["orders"] else None
            if body is None:
                return Answer(Word.OK)
            if body.get("deleted"):
                return Answer(Word.OK, version=int(body["version"]))
            order = Order.from_json(body)
            return Answer(Word.OK, order=order, version=order.version)
        reason = f"{status} {body['error']['code']}"
        outcome = body["outcome"]
    except (ValueError, KeyError, TypeError, AttributeError):
        # The body is not our service's (a proxy's, or of a crash): a 4xx did nothing, any other outcome is unknown.
        return Answer(Word.REFUSED if 400 <= status < 500 else Word.UNCLEAR, f"{status} without a known body")
    if outcome == "unclear":
        return Answer(Word.UNCLEAR, reason)
    return Answer(Word.UNAVAILABLE if status >= 500 else Word.REFUSED, reason)


def _items(basket: Basket) -> dict[str, Any]:
    return {
        "items": [{"sku": sku, "quantity": quantity, "unit_price": price} for sku, quantity, price in basket.items]
    }
