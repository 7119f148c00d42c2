"""Shows a refusal to a person: a browser gets a page where a script gets JSON."""

import json
from http import HTTPStatus
from typing import Any

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lakeproof.pages.page import HERE, Pages

# Paths for scripts. They answer JSON, whatever the request's `Accept` header says.
FOR_SCRIPTS = ("/api/", "/metrics", "/health")


class Refusals:
    """ASGI middleware: a JSON answer with status 400 or above becomes a page where the caller accepts `text/html`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._pages = Pages(HERE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and turn its refusal into a page."""
        if scope["type"] != "http" or scope["path"].startswith(FOR_SCRIPTS):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        if "text/html" not in request.headers.get("accept", ""):
            await self._app(scope, receive, send)
            return
        held: Message | None = None
        body = bytearray()

        async def look(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start" and message["status"] >= 400 and _is_json(message):
                held = message
            elif held is None:
                await send(message)
            else:
                body.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    await self._refuse(request, receive, send, held["status"], bytes(body))

        await self._app(scope, receive, look)

    async def _refuse(self, request: Request, receive: Receive, send: Send, status: int, body: bytes) -> None:
        what, next_action = _said(body, status)
        template = "refusal_note.html" if request.headers.get("hx-request") else "refusal.html"
        answer = self._pages.render(
            request, template, status, number=status, what=what, next_action=next_action, phrase=_phrase(status)
        )
        await answer(request.scope, receive, send)


def _is_json(message: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(b"application/json")
        for name, value in message["headers"]
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _said(body: bytes, status: int) -> tuple[str, str]:
    """What was wrong, and what to do next, from the JSON of the answer; "" where it does not say."""
    try:
        told: Any = json.loads(body)
    except ValueError:
        return "", ""
    if not isinstance(told, dict):
        return "", ""
    what = told.get("error") or ("" if status == 404 else told.get("detail")) or ""
    return str(what), str(told.get("next") or "")
