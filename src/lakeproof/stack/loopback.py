"""HTTP to the servers that this stack runs itself, on loopback and without TLS: the health questions.

`httpx.get` builds a TLS context for each call: 20 ms of a core. Asked every two seconds by seventeen components, that
was most of what the supervisor's daemon used. Never for a server that somebody else runs: nothing is verified here.
"""

from collections.abc import Mapping
from functools import cache

import httpx


@cache
def _client() -> httpx.Client:
    # No connection is kept: a server that was killed and came back must not be asked over the dead one.
    return httpx.Client(verify=False, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


def get(
    url: str, *, timeout: float, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """One GET. Raises: httpx.HTTPError."""
    return _client().get(url, timeout=timeout, params=params, headers=headers)
