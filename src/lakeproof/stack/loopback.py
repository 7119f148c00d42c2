"""HTTP to the servers that this stack runs itself, on loopback and without TLS: the health questions.

`httpx.get` builds a TLS context for each call: 20 ms of a core. Asked every two seconds by seventeen components, that
was most of what the supervisor's daemon used. A server that somebody else runs may want https: that is verified.
"""

from collections.abc import Mapping
from functools import cache

import httpx


@cache
def _client(secure: bool) -> httpx.Client:
    # No connection is kept: a server that was killed and came back must not be asked over the dead one.
    return httpx.Client(verify=secure, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


def get(
    url: str, *, timeout: float, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """One GET. Raises: httpx.HTTPError."""
    return _client(url.startswith("https:")).get(url, timeout=timeout, params=params, headers=headers)
