"""The checks before every request: a Host we know, a token for every change, a body that is not too big.

The Host check is against DNS rebinding: a page of another site that resolves its own name to 127.0.0.1 must not be
able to read the desk. Bodies are read here, so that "too big" is said before anything is parsed.

A program shows the desk's token as `Authorization: Bearer`. A person signs in with the token once, and then has a
cookie (session.py). A form of a page needs that cookie and the form's own token. The API takes no cookie, and a page
takes no bearer token.
"""

import json
from asyncio import sleep
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lakeproof.incidents.session import FIELD, Session, Sessions, Tries
from lakeproof.stack.stack import Stack

WEBHOOK_PATH = "/api/alertmanager"
SIGN_IN_PATH = "/signin"
API = "/api/"
WEBHOOK_BYTES = 16 * 1_048_576
BODY_BYTES = 2 * 1_048_576
FORM_BYTES = 128 * 1024
FORM_FIELDS = 50
READS = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
FORM_TYPE = "application/x-www-form-urlencoded"
# After so many wrong tokens in so many seconds, further wrong ones are answered with 429. The right token always
# passes: a limit that also held it up would let any local process keep Alertmanager out.
WRONG_TOKENS, WRONG_SECONDS = 30, 60.0
# Each answer 429 is delayed by this much. That holds up whoever tries one token after the other, but not whoever
# tries many at once; against them stand the 128 random bits of a token that we made.
LATE_SECONDS = 1.0


def known_hosts(stack: Stack) -> frozenset[str]:
    """The host names of the desk: loopback's names, the address it listens on, and its name in the settings."""
    given = stack.settings.endpoints.get("desk", {}).get("http", "")
    named = urlsplit(given if "://" in given else f"//{given}").hostname or ""
    return LOOPBACK | {stack.settings.host.lower()} | ({named} if named else set())


class Refused(Exception):
    """A request that goes no further."""

    def __init__(self, status: int, what: str, next_action: str, wait_seconds: int = 0) -> None:
        super().__init__(what)
        self.status, self.what, self.next_action, self.wait_seconds = status, what, next_action, wait_seconds


class Guard:
    """ASGI middleware. `hosts`: lower case, without ports.

    It puts into the state of a request: `session` (None where nobody is signed in), and `form` where one was sent.
    """

    def __init__(self, app: ASGIApp, *, sessions: Sessions, hosts: frozenset[str]) -> None:
        self._app = app
        self._sessions = sessions
        self._hosts = hosts
        self._wrong = Tries(WRONG_TOKENS, WRONG_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with the body already read."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            if _host_of(headers.get("host", "")) not in self._hosts:
                raise Refused(421, "this desk does not answer to that Host", "use its own address, e.g. 127.0.0.1")
            session = self._session(headers)
            scope.setdefault("state", {})["session"] = session
            if scope["method"] not in READS:
                receive = await self._admit(scope, headers, session, receive)
        except Refused as refused:
            await _refuse(_late(send), refused)
            return
        await self._app(scope, receive, _late(send))

    def _session(self, headers: dict[str, str]) -> Session | None:
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self._sessions.cookie)
        except CookieError:
            return None
        return self._sessions.read(cookie.value) if cookie is not None else None

    async def _admit(
        self, scope: Scope, headers: dict[str, str], session: Session | None, receive: Receive
    ) -> Receive:
        """Read the body of an allowed change; gives a `receive` that yields that body again. Raises: Refused."""
        is_form = not scope["path"].startswith(API)
        if is_form:
            _require_own_page(headers)
            if session is None and scope["path"] != SIGN_IN_PATH:
                if "authorization" in headers:
                    self._require_token(headers)
                    raise Refused(400, "a page takes forms, and no bearer", f"use {API}")
                raise Refused(401, "every change needs the desk's token", f"sign in at {SIGN_IN_PATH}")
        else:
            self._require_token(headers)
        limit = FORM_BYTES if is_form else WEBHOOK_BYTES if scope["path"] == WEBHOOK_PATH else BODY_BYTES
        length = headers.get("content-length", "0")
        body = None if not length.isdigit() or int(length) > limit else await _read(receive, limit)
        if body is None:
            raise Refused(413, f"the body is too big, at most {limit} bytes", "send less, or in parts")
        if is_form:
            form = _parse_form(headers, body)
            signs_in = scope["path"] == SIGN_IN_PATH
            given = form.get(FIELD, "")
            if session and not signs_in and not self._sessions.is_form_token(session, scope["path"], given):
                raise Refused(403, "the form is not one of this session", "load the page again")
            scope["state"]["form"] = form
        return _replay(body, receive)

    def _require_token(self, headers: dict[str, str]) -> None:
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._sessions.is_token(given):
            return
        next_action = "send `Authorization: Bearer …` (lakeproof env)"
        if seconds := self._wrong.wait_seconds():
            raise Refused(429, "too many wrong tokens", f"{next_action}; the right one always passes", seconds)
        self._wrong.count_wrong()
        raise Refused(401, "every change needs the desk's token", next_action)


def _require_own_page(headers: dict[str, str]) -> None:
    """Browsers say where a form came from; it must be a page of this desk. Raises: Refused."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "same-origin")
    own = origin is None or (origin != "null" and urlsplit_host(origin) == headers.get("host", "").lower())
    if not own or site not in ("same-origin", "none"):
        raise Refused(403, "that form is no page of this desk", "use the desk's own pages")


def urlsplit_host(url: str) -> str:
    """host:port of a URL, lower case; "" for what is none."""
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""


def _parse_form(headers: dict[str, str], body: bytes) -> dict[str, str]:
    if headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
        raise Refused(415, f"a page's form is {FORM_TYPE}", f"the API under {API} takes JSON")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FORM_FIELDS)
    except ValueError as error:
        raise Refused(400, "not a form that can be read", "use the desk's own pages") from error
    form = dict(pairs)
    if len(form) != len(pairs) or any("\x00" in value for value in form.values()):
        raise Refused(400, "a field comes twice, or holds a zero byte", "use the desk's own pages")
    return form


def _host_of(header: str) -> str:
    try:
        return (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return ""


async def _read(receive: Receive, limit: int) -> bytes | None:
    """The whole body, or None once it is longer than `limit`. Raises: Refused where only a part of it came."""
    parts = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "the connection ended before the whole body had come", "send it again")
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


def _late(send: Send) -> Send:
    """A `send` that delays the answer 429, too many wrong tokens, by LATE_SECONDS."""

    async def late(message: Message) -> None:
        if message.get("status") == 429:
            await sleep(LATE_SECONDS)
        await send(message)

    return late


async def _refuse(send: Send, refused: Refused) -> None:
    said: dict[str, Any] = {"error": refused.what, "next": refused.next_action}
    body = json.dumps(said).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if refused.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if refused.status == 413:
        headers.append((b"connection", b"close"))
    if refused.wait_seconds:
        headers.append((b"retry-after", str(refused.wait_seconds).encode()))
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
