"""What tests of the support service do with the shop: an order with its payment and parcel, and files to attach."""

import uuid
from typing import Any

import httpx

ADDRESS = {"name": "A. Buyer", "street": "1 Lake Road", "city": "Hanoi", "postal_code": "100000", "country": "VN"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 16
JSON = dict[str, Any]


def key() -> dict[str, str]:
    return {"Idempotency-Key": f"test-{uuid.uuid4().hex}"}


def posted(url: str, body: JSON | None, status: int = 201) -> JSON:
    answer = httpx.post(url, json=body, headers=key(), timeout=20, trust_env=False)
    assert answer.status_code == status, answer.text
    made: JSON = answer.json()
    return made


def bought(urls: dict[str, str]) -> int:
    """An order that is paid and asked to be sent; its id."""
    items = [{"sku": "sku-1", "quantity": 2, "unit_price": "6.15"}]
    order = posted(f"{urls['order']}/orders", {"customer_id": 5, "items": items})
    number = int(order["id"])
    card = {"order_id": number, "customer_id": 5, "amount": "12.30", "card": "tok_visa"}
    payment = posted(f"{urls['payment']}/payments", card)
    posted(f"{urls['payment']}/payments/{payment['id']}/capture", {}, 200)
    posted(f"{urls['order']}/orders/{number}/pay", None, 200)
    parcel = {"order_id": number, "address": ADDRESS, "items": [{"sku": "sku-1", "quantity": 2}]}
    posted(f"{urls['fulfillment']}/fulfillments", parcel)
    return number


def form(name: str, content: bytes) -> tuple[bytes, dict[str, str]]:
    """The body and headers of an upload, the file's name as it is."""
    shown = name.replace("\\", "\\\\").replace('"', '\\"').encode("utf-8", "surrogatepass")
    head = b'--xx\r\nContent-Disposition: form-data; name="file"; filename="' + shown + b'"\r\n\r\n'
    return head + content + b"\r\n--xx--\r\n", {**key(), "Content-Type": "multipart/form-data; boundary=xx"}
