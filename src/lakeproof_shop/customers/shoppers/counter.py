"""A buyer's client of the checkout, over HTTP: each call tells an end, no end yet, or no clear word."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import aiohttp
import orjson

from lakeproof_shop.customers.shoppers.purchases import GOODS, STOCK_PER_RUN, Purchase
from lakeproof_shop.customers.shoppers.storefront import CONNECT_SECONDS
from lakeproof_shop.services.checkout.models import ENDS, Undoing
from lakeproof_shop.serving.http_caller import HttpCaller

ADDRESS = {"name": "A. Buyer", "street": "1 Lake Road", "city": "Hanoi", "postal_code": "100000", "country": "VN"}


class End(StrEnum):
    """What became of a checkout, as far as its buyer knows.

    REFUSED: the checkout certainly stays as it was. NEVER_BEGUN: it certainly was not begun.
    UNDER_WAY: it will end by itself. NO_WORD: the answer was lost, or makes no sense.
    """

    BOUGHT = "bought"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RETURNED = "returned"
    REFUSED = "refused"
    NEVER_BEGUN = "never begun"
    UNDER_WAY = "under way"
    NO_WORD = "no word"


@dataclass(frozen=True, slots=True)
class Told:
    """`all_done`: the checkout has no step left to do, not even one that its buyer does not wait for."""

    end: End
    reason: str = ""
    all_done: bool = False


class Counter(HttpCaller):
    """Calls the checkout, and the inventory for goods that come in. `call_seconds`: a call's time limit."""

    def __init__(self, order_url: str, inventory_url: str, *, call_seconds: float) -> None:
        self._order_url, self._inventory_url = order_url.rstrip("/"), inventory_url.rstrip("/")
        super().__init__(call_seconds=call_seconds, connect_seconds=CONNECT_SECONDS)

    async def stock_up(self, run: str) -> None:
        """Receive goods for a whole run, once per run. Raises: OSError, aiohttp.ClientError, TimeoutError."""
        for sku in GOODS:
            url = f"{self._inventory_url}/stock/{sku}/receive"
            headers = {"idempotency-key": f"{run}:{sku}", "content-type": "application/json"}
            body = orjson.dumps({"quantity": STOCK_PER_RUN})
            async with self._session.post(url, data=body, headers=headers) as answer:
                answer.raise_for_status()

    async def buy(self, key: str, purchase: Purchase) -> Told:
        """Begin the checkout of `key`, or find it."""
        body = {
            "customer_id": purchase.customer_id,
            "card": purchase.card,
            "address": ADDRESS,
            "keep_seconds": purchase.wishes.keep_seconds,
            "email": f"customer-{purchase.customer_id}@example.org",
            "items": [
                {"sku": sku, "quantity": quantity, "unit_price": price}
                for sku, quantity, price in purchase.basket.items
            ],
        }
        return await self._ask("POST", "/checkouts", key, body)

    async def look(self, key: str) -> Told:
        """Where the checkout stands."""
        return await self._ask("GET", f"/checkouts/{key}", key, None)

    async def undo(self, key: str, undoing: Undoing) -> Told:
        """Cancel or return what was bought; safe to repeat."""
        return await self._ask("POST", f"/checkouts/{key}/{undoing.value}", key, None)

    async def browse(self, sku: str) -> bool:
        """Read a good's stock; True where the inventory answered."""
        try:
            async with self._session.get(f"{self._inventory_url}/stock/{sku}") as answer:
                await answer.read()
                return answer.status == 200
        except (TimeoutError, aiohttp.ClientError, OSError):
            return False

    async def _ask(self, method: str, path: str, key: str, body: dict[str, Any] | None) -> Told:
        headers = {"idempotency-key": key, "x-trace-id": key, "content-type": "application/json"}
        data = orjson.dumps(body) if body is not None else None
        try:
            async with self._session.request(method, self._order_url + path, data=data, headers=headers) as answer:
                return _read(answer.status, await answer.read())
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Told(
                End.NEVER_BEGUN if method == "POST" else End.NO_WORD, f"no connection ({type(error).__name__})"
            )
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            return Told(End.NO_WORD, f"no answer ({type(error).__name__})")


def _read(status: int, raw: bytes) -> Told:
    try:
        told = orjson.loads(raw)
        if "status" in told:
            reason = f"{status} {told['reason']}" if told["reason"] else ""
            return Told(End(told["status"].replace("_", " ")), reason, told["next_step"] in ENDS)
        code, outcome = told["error"]["code"], told["outcome"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return Told(End.NO_WORD, f"{status} without a known body")
    if outcome == "not_done" and status == 409:
        return Told(End.REFUSED, f"{status} {code}")
    never = outcome == "not_done" and (status == 404 or status >= 500 or status == 422)
    return Told(End.NEVER_BEGUN if never else End.NO_WORD, f"{status} {code}")
