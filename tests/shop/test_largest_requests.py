"""What a service's OpenAPI allows fits through its gate, however the caller's JSON writes it. No engine."""

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from lakeproof.stack.settings import (
    CheckoutSettings,
    FulfillmentSettings,
    InventorySettings,
    NotificationSettings,
    ShopSettings,
    SupportSettings,
)
from lakeproof_shop.services.fulfillment import app as fulfillment
from lakeproof_shop.services.inventory import app as inventory
from lakeproof_shop.services.mail_sink import app as mail_sink
from lakeproof_shop.services.notification import app as notification
from lakeproof_shop.services.order import app as order
from lakeproof_shop.services.payment import app as payment
from lakeproof_shop.services.support import app as support

SHOP = ShopSettings()
# The most bytes first: JSON may write what is beyond U+FFFF as two \u escapes, other characters as one.
CHARACTERS = ("😀", "ế", '"', "A", "a", "1")
TIME = "2026-11-25T08:00:00.000000+00:00"
UNBOUNDED = 1 << 20


def service_of(name: str) -> FastAPI:
    """The app, with nothing to stand on: its gate looks at a body before anything else does."""
    nothing: Any = None
    return {
        "order": lambda: order.create_app(SHOP, nothing, order.Checkouts({}, CheckoutSettings())),
        "payment": lambda: payment.create_app(SHOP, nothing),
        "inventory": lambda: inventory.create_app(SHOP, InventorySettings(), nothing),
        "fulfillment": lambda: fulfillment.create_app(SHOP, FulfillmentSettings(), nothing),
        "notification": lambda: notification.create_app(SHOP, NotificationSettings(), nothing),
        "support": lambda: support.create_app(SHOP, SupportSettings(), nothing),
        "mail-sink": lambda: mail_sink.create_app(SHOP, mail_sink.Place("127.0.0.1", 9, Path("nowhere"))),
    }[name]()


def longest(schema: dict[str, Any]) -> str:
    """As many bytes as the longest text that the schema allows; where its pattern is rich, it is no such text."""
    if schema.get("format") in ("date-time", "uuid"):
        return TIME if schema["format"] == "date-time" else str(uuid.uuid4())
    pattern = schema.get("pattern", "")
    length = schema.get("maxLength")
    if length is None:
        length = re._parser.parse(pattern).getwidth()[1] if pattern else UNBOUNDED
    if length >= UNBOUNDED:
        raise AssertionError(f"a text without an end: {schema}")
    fits = (one for one in CHARACTERS if re.search(pattern, one * length))
    return next(fits, "a") * length


def largest(schema: dict[str, Any], named: dict[str, Any]) -> Any:
    """The value that takes most bytes of those that the schema allows."""
    if "$ref" in schema:
        return largest(named[schema["$ref"].rpartition("/")[2]], named)
    if "const" in schema or "enum" in schema:
        return max([schema["const"]] if "const" in schema else schema["enum"], key=lambda one: len(json.dumps(one)))
    if "anyOf" in schema:
        # A price is a number, or a text which may begin with any number of zeros: the number it is.
        numbers = [one for one in schema["anyOf"] if one.get("type") == "number"]
        return max((largest(one, named) for one in numbers or schema["anyOf"]), key=lambda one: len(json.dumps(one)))
    match schema["type"]:
        case "string":
            return longest(schema)
        case "integer":
            return schema["maximum"]
        case "number":
            return f"{schema['maximum']:.2f}"
        case "array":
            return [largest(schema["items"], named)] * schema["maxItems"]
        case "object":
            return {name: largest(one, named) for name, one in schema["properties"].items()}
        case "null" | "boolean" as kind:
            return None if kind == "null" else False
    raise AssertionError(f"a type that nobody here knows: {schema}")


def requests_of(app: FastAPI) -> Iterator[tuple[str, str, bytes]]:
    """Method, path and largest JSON body of every route that takes one."""
    told = app.openapi()
    for path, methods in told["paths"].items():
        for method, route in methods.items():
            content = route.get("requestBody", {}).get("content", {})
            if "application/json" in content:
                body = largest(content["application/json"]["schema"], told["components"]["schemas"])
                yield method.upper(), re.sub(r"{[^}]*}", str(uuid.uuid4()), path), json.dumps(body).encode()


@pytest.mark.parametrize(
    "name", ["order", "payment", "inventory", "fulfillment", "notification", "support", "mail-sink"]
)
async def test_the_largest_request_that_is_allowed_is_not_too_large(name: str) -> None:
    app = service_of(name)
    asked = list(requests_of(app))
    assert asked
    too_large = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        for method, path, body in asked:
            headers = {"content-type": "application/json", "idempotency-key": "test-1"}
            answer = await client.request(method, path, content=body, headers=headers)
            if answer.status_code == 413:
                too_large.append((path, len(body), answer.json()["error"]["message"]))
    assert too_large == []


def test_a_batch_is_as_large_as_five_hundred_recipients_and_ten_thousand_characters() -> None:
    sizes = {path: len(body) for _, path, body in requests_of(service_of("notification"))}
    assert sizes["/notifications"] > 10_000 * 12
    assert sizes["/notifications/batches"] > 500 * 2 * 250 + 10_000 * 12
