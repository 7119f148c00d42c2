"""Is this a shop, and is it open? Asked before a run begins, so that a wrong address does not fill a ledger."""

from urllib.parse import urlsplit

import httpx

from lakeproof.errors import InvalidInput, TerminalError

ASK_SECONDS = 5.0
NEXT = "lakeproof up order-service, or give another --base-url; nothing was sent or written"


def check_url(url: str) -> str:
    """The address itself. Raises: InvalidInput for anything but http(s)://host[:port][/path]."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    else:
        fits = fits and not (parts.query or parts.fragment or parts.username or any(c.isspace() for c in url))
    if not fits:
        raise InvalidInput(
            f"{url!r} is no address of a shop",
            where="--base-url",
            next_action="give http://HOST:PORT, e.g. http://127.0.0.1:8001",
        )
    return url


def require_open(url: str) -> None:
    """Ask GET /health once.

    Raises: InvalidInput (no address), TerminalError where the shop is not there or not well.
    """
    check_url(url)
    try:
        answer = httpx.get(f"{url.rstrip('/')}/health", timeout=ASK_SECONDS, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise TerminalError(f"no shop answers ({type(error).__name__})", where=url, next_action=NEXT) from error
    try:
        body = answer.json()
        status = str(body["status"])
        problems = [f"{name}: {one['problem']}" for name, one in body["dependencies"].items() if one["problem"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TerminalError(
            f"its /health answers {answer.status_code} without an order service's words", where=url, next_action=NEXT
        ) from error
    if status != "healthy":
        raise TerminalError(
            f"the shop is {status}: {'; '.join(problems) or 'no reason given'}", where=url, next_action=NEXT
        )
