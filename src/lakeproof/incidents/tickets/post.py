"""Any other ITSM, by a webhook: each change is a POST of the whole ticket.

A receiver that keeps tickets by `key` has each ticket once. `Idempotency-Key` is the same where a POST is repeated.
With a token the body is signed: `X-Lakeproof-Signature: sha256=HMAC`.
"""

import hashlib
import hmac
import json

import httpx

from lakeproof.incidents.tickets.ticket import Made, TicketText, ask


class WebhookItsm:
    """Posts to one URL. The answer may name the ticket: `{"key": …, "url": …}`."""

    settle_seconds = 0.0

    def __init__(self, client: httpx.Client, url: str, token: str) -> None:
        self._client, self._url, self._token = client, url, token

    def find(self, marker: str) -> Made | None:
        """Always None: the receiver cannot be asked. It tells by `key` which tickets it has already."""
        return None

    def create(self, ticket: TicketText) -> Made:
        """The first POST."""
        answer = self._post(ticket, "created")
        told = answer if isinstance(answer, dict) else {}
        return Made(str(told.get("key") or ticket.marker), str(told.get("url") or ""))

    def update(self, key: str, ticket: TicketText) -> None:
        """A further POST."""
        self._post(ticket, "updated")

    def _post(self, ticket: TicketText, event: str) -> object:
        body = json.dumps(
            {
                "event": event,
                "key": ticket.marker,
                "version": ticket.version,
                "state": ticket.state,
                "severity": ticket.severity,
                "title": ticket.title,
                "facts": dict(ticket.facts),
                "timeline": list(ticket.lines),
                "page": ticket.page,
            },
            ensure_ascii=False,
        ).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"{ticket.marker}-{ticket.version}"}
        if self._token:
            digest = hmac.new(self._token.encode(), body, hashlib.sha256).hexdigest()
            headers["X-Lakeproof-Signature"] = f"sha256={digest}"
        return ask(self._client, "POST", self._url, content=body, headers=headers)
