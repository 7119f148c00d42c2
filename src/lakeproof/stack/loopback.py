"""HTTP to the servers that this stack runs itself, on loopback and without TLS: health questions and probes.

`httpx.get` builds a TLS context for each call, 20 ms of a core. With seventeen components asked every two seconds
that was most of the supervisor's CPU, so one client without TLS is kept. A server that somebody else runs may have an
https URL: for these there is a second client, which verifies the certificate.
"""

import threading
from collections.abc import Mapping
from functools import cache
from typing import BinaryIO

import httpx

from lakeproof.errors import NotReady

LONGEST_PROBLEM = 150

_making = threading.Lock()


def is_secure(url: str) -> bool:
    """Whether that URL needs a client that verifies certificates; a client that does not costs less to build."""
    return url.startswith("https:")


def _client(secure: bool) -> httpx.Client:
    # Under a lock: thirty probes that begin at the same moment would make thirty clients.
    with _making:
        return _made_client(secure)


@cache
def _made_client(secure: bool) -> httpx.Client:
    # No connection is kept: a server that was killed and came back must not be asked over the dead one, and on
    # loopback a new connection costs no more than a kept one (0.7 ms of a core for the whole question).
    return httpx.Client(verify=secure, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


def get(
    url: str, *, timeout: float, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """One GET. Raises: httpx.HTTPError."""
    return request("GET", url, timeout=timeout, params=params, headers=headers)


def request(
    method: str,
    url: str,
    *,
    timeout: float,
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    content: str | None = None,
    json: object = None,
    files: Mapping[str, tuple[str, BinaryIO, str]] | None = None,
) -> httpx.Response:
    """One request. files: form field → name, content, type. Raises: httpx.HTTPError."""
    client = _client(is_secure(url))
    return client.request(
        method, url, timeout=timeout, params=params, headers=headers, content=content, json=json, files=files
    )


def require_ok(url: str, component: str, timeout: float, params: Mapping[str, str] | None = None) -> httpx.Response:
    """The answer of one GET with status 200. Raises: NotReady with what `component` says instead."""
    try:
        answer = get(url, timeout=timeout, params=params)
    except httpx.HTTPError as error:
        raise NotReady(f"no answer: {type(error).__name__}", where=component) from error
    if answer.status_code != 200:
        raise NotReady(f"answered {answer.status_code}: {_said(answer)}".rstrip(": "), where=component)
    return answer


def _said(answer: httpx.Response) -> str:
    """The problems that a service's /health tells of, each with the dependency's name; else the answer's text."""
    try:
        looked_at = answer.json()["dependencies"].items()
        ill = [f"{name}: {one['problem']}"[:LONGEST_PROBLEM] for name, one in looked_at if one["problem"]]
    except (ValueError, TypeError, KeyError, AttributeError):
        ill = []
    return "; ".join(ill) or answer.text[:300]


def require_itself(url: str, component: str, timeout: float) -> None:
    """Return where one GET's answer, of any status, names the component as its "service". Raises: NotReady."""
    try:
        named = get(url, timeout=timeout).json().get("service")
    except (httpx.HTTPError, ValueError, AttributeError) as error:
        raise NotReady(f"no answer: {type(error).__name__}", where=component) from error
    if named != component:
        raise NotReady("somebody else answers on its port", where=component)
