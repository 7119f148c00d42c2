"""What stands before every request: a Host we know, a token for every change, a body that is not too big.

The Host check is against DNS rebinding: a page of another site that resolves its own name to 127.0.0.1 must not be
able to read the desk. Bodies are read here, so that "too big" is said before anything is parsed.
"""

import hmac
import json
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lakeproof.stack.stack import Stack

WEBHOOK_PATH = "/api/alertmanager"
WEBHOOK_BYTES = 16 * 1_048_576
BODY_BYTES = 2 * 1_048_576
READS = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def known_hosts(stack: Stack) -> frozenset[str]:
    """Loopback's names, the address it listens on, and the name that the settings give it."""
    given = stack.settings.endpoints.get("desk", {}).get("http", "")
    named = urlsplit(given if "://" in given else f"//{given}").hostname or ""
    return LOOPBACK | {stack.settings.host.lower()} | ({named} if named else set())


class Guard:
    """ASGI middleware. `hosts`: lower case, without ports."""

    def __init__(self, app: ASGIApp, *, token: str, hosts: frozenset[str]) -> None:
        self._app = app
        self._token = token
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with the body already read."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if _host_of(headers.get("host", "")) not in self._hosts:
            await _refuse(send, 421, "this desk does not answer to that Host", "use its own address, e.g. 127.0.0.1")
            return
        if scope["method"] in READS:
            await self._app(scope, receive, send)
            return
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._token.encode()):
            await _refuse(
                send, 401, "every change needs the desk's token", "send `Authorization: Bearer …` (lakeproof env)"
            )
            return
        limit = WEBHOOK_BYTES if scope["path"] == WEBHOOK_PATH else BODY_BYTES
        length = headers.get("content-length", "0")
        body = None if not length.isdigit() or int(length) > limit else await _read(receive, limit)
        if body is None:
            await _refuse(send, 413, f"the body is too big, at most {limit} bytes", "send less, or in parts")
            return
        await self._app(scope, _replay(body, receive), send)


def _host_of(header: str) -> str:
    try:
        return (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return ""


async def _read(receive: Receive, limit: int) -> bytes | None:
    """The whole body, or None once it is longer than `limit`."""
    parts = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        parts += message.get("body", b"")
        more = message.get("more_body", False)
        if len(parts) > limit:
            return None
    return bytes(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


async def _refuse(send: Send, status: int, what: str, next_action: str) -> None:
    body = json.dumps({"error": what, "next": next_action}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status == 413:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
