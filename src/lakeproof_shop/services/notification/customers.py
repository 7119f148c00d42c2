"""The customer of an order, asked of the order service and cached: an order's customer never changes."""

from dataclasses import dataclass

import httpx
import orjson

from lakeproof_shop.services.checkout.models import checkout_key_of
from lakeproof_shop.services.notification.models import DropReason
from lakeproof_shop.serving.limited_answer import AnswerTooLong, read_at_most
from lakeproof_shop.serving.traces import trace_id

CACHED = 20_000
# The order service answers 410 for an order that was deleted, 404 for one that never existed.
NOBODY = {410: DropReason.ORDER_GONE, 404: DropReason.INVALID_PAYLOAD}


@dataclass(frozen=True, slots=True)
class Owner:
    """The customer of an order. by_checkout: the order was made by a checkout, which sends a receipt of its own."""

    customer_id: int
    by_checkout: bool


class NobodyAnswers(Exception):
    """The order service does not answer now; asking later helps."""


class Customers:
    """Asks the order service at `url`, each question within `seconds`. `problem`: why the last was not answered."""

    def __init__(self, url: str, seconds: float) -> None:
        self._client = httpx.AsyncClient(
            base_url=url, timeout=seconds, trust_env=False, verify=url.startswith("https")
        )
        self._known: dict[int, Owner] = {}
        self.problem = ""

    async def of_order(self, order_id: int) -> Owner | DropReason:
        """The customer of that order; or why there is none: the order was deleted, or never existed.

        Raises: NobodyAnswers.
        """
        if order_id in self._known:
            return self._known[order_id]
        headers = {"x-trace-id": trace_id.get()}
        try:
            async with self._client.stream("GET", f"/orders/{order_id}", headers=headers) as answer:
                told = await read_at_most(answer.aiter_bytes())
            if answer.status_code in NOBODY:
                self.problem = ""
                return NOBODY[answer.status_code]
            if answer.status_code != 200:
                raise NobodyAnswers(f"answered {answer.status_code}")
            body = orjson.loads(told)
            client_key = body.get("client_key")
            by_checkout = isinstance(client_key, str) and checkout_key_of(client_key) is not None
            found = Owner(int(body["customer_id"]), by_checkout)
        except NobodyAnswers as error:
            self.problem = str(error)
            raise
        except (httpx.HTTPError, AnswerTooLong, ValueError, KeyError, TypeError, AttributeError) as error:
            self.problem = f"no answer: {type(error).__name__}"
            raise NobodyAnswers(self.problem) from error
        self.problem = ""
        if len(self._known) >= CACHED:
            del self._known[next(iter(self._known))]
        self._known[order_id] = found
        return found

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
