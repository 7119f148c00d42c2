"""A customer's client of support, notification and fulfillment, over HTTP: each change ends with a word and an id."""

from collections import deque
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from lakeproof_shop.customers.shoppers.storefront import CONNECT_SECONDS, Word
from lakeproof_shop.serving.http_caller import HttpCaller

ATTACHMENT_NAME = "what-came.txt"
NEWEST_CASES = 10


@dataclass(frozen=True, slots=True)
class Reply:
    """ref: the case's id, or the version of the preferences; 0 where the word is not OK."""

    word: Word
    reason: str = ""
    ref: int = 0


class ServiceDesk(HttpCaller):
    """Calls these services; every change has an idempotency key. `call_seconds`: a call's time limit."""

    def __init__(self, support_url: str, notification_url: str, fulfillment_url: str, *, call_seconds: float) -> None:
        self._support, self._notification = support_url.rstrip("/"), notification_url.rstrip("/")
        self._fulfillment = fulfillment_url.rstrip("/")
        self.newest_cases: deque[int] = deque(maxlen=NEWEST_CASES)
        super().__init__(call_seconds=call_seconds, connect_seconds=CONNECT_SECONDS)

    async def complain(self, key: str, customer_id: int, order_id: int, message: str) -> Reply:
        """Open a case with that message."""
        body = {
            "customer_id": customer_id,
            "order_id": order_id,
            "subject": f"About order {order_id}",
            "message": message,
        }
        reply = await self._change("POST", f"{self._support}/support/cases", key, orjson.dumps(body), "id")
        if reply.word is Word.OK:
            self.newest_cases.append(reply.ref)
        return reply

    async def attach(self, key: str, case_id: int, content: bytes) -> Reply:
        """Add a text file to a case."""
        form = aiohttp.FormData()
        form.add_field("file", content, filename=ATTACHMENT_NAME, content_type="text/plain")
        reply = await self._change("POST", f"{self._support}/support/cases/{case_id}/attachments", key, form, "id")
        return Reply(reply.word, reply.reason, case_id if reply.word is Word.OK else 0)

    async def prefer(self, key: str, customer_id: int, opted_out: tuple[str, ...]) -> Reply:
        """Say which messages are not wanted ("TOPIC/CHANNEL" each); this replaces all earlier preferences."""
        listed = [dict(zip(("topic", "channel"), one.split("/"), strict=True)) for one in opted_out]
        url = f"{self._notification}/notifications/preferences/{customer_id}"
        return await self._change("PUT", url, key, orjson.dumps({"opted_out": listed}), "version")

    async def read_timeline(self, case_id: int) -> bool:
        """Read a case with its timeline; True where support answered."""
        return await self._get(f"{self._support}/support/cases/{case_id}?includeTimeline=true") is not None

    async def is_shipped(self, order_id: int) -> bool:
        """Whether a parcel of that order is shipped; False also where fulfillment gives no answer."""
        found = await self._get(f"{self._fulfillment}/fulfillments?order_id={order_id}") or {}
        return any(one.get("status") == "shipped" for one in found.get("fulfillments", ()))

    async def _get(self, url: str) -> dict[str, Any] | None:
        try:
            async with self._session.get(url) as answer:
                found = orjson.loads(await answer.read())
                return found if answer.status == 200 and isinstance(found, dict) else None
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
            return None

    async def _change(self, method: str, url: str, key: str, data: Any, ref: str) -> Reply:
        headers = {"idempotency-key": key, "x-trace-id": key}
        if isinstance(data, bytes):
            headers["content-type"] = "application/json"
        try:
            async with self._session.request(method, url, data=data, headers=headers) as answer:
                return _read(answer.status, await answer.read(), ref)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Reply(Word.UNAVAILABLE, f"no connection ({type(error).__name__})")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            return Reply(Word.UNCLEAR, f"no answer ({type(error).__name__})")


def _read(status: int, raw: bytes, ref: str) -> Reply:
    try:
        told = orjson.loads(raw)
        if status in (200, 201):
            return Reply(Word.OK, "", int(told[ref]))
        reason, outcome = f"{status} {told['error']['code']}", told["outcome"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return Reply(Word.REFUSED if 400 <= status < 500 else Word.UNCLEAR, f"{status} without a known body")
    if outcome == "unclear":
        return Reply(Word.UNCLEAR, reason)
    return Reply(Word.UNAVAILABLE if status >= 500 else Word.REFUSED, reason)
