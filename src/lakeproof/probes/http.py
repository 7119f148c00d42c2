"""Asking over HTTP: an answer, or which kind of silence it was."""

from typing import Any

import httpx

from lakeproof.errors import CouldNotLook
from lakeproof.probes.round import once
from lakeproof.stack import loopback

ANSWERS = "answers"
SILENT = "silent"
REFUSED = "refused"
# Only servers that have logins, or data to load, answer these two. REJECTED: the server runs, and turned the login
# down. STARTING: it runs, and takes nobody in yet.
REJECTED = "rejected"
STARTING = "starting"


def get(url: str, timeout: float) -> httpx.Response:
    """GET without proxies from the environment, once in a round of probes. Raises: CouldNotLook."""
    return once(("GET", url), lambda: _get(url, timeout))


def _get(url: str, timeout: float) -> httpx.Response:
    try:
        return loopback.get(url, timeout=timeout)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CouldNotLook(f"no answer: {type(error).__name__}", where=url, next_action="is it up?") from error


def get_json(url: str, timeout: float) -> Any:
    """The JSON of a 200 answer; None for 404. Raises: CouldNotLook for everything else."""
    response = get(url, timeout)
    if response.status_code == 404:
        return None
    if response.status_code != 200:
        raise CouldNotLook(f"answered {response.status_code}", where=url, next_action="read its log")
    try:
        return response.json()
    except ValueError as error:
        raise CouldNotLook("answered something that is not JSON", where=url) from error


def liveness(url: str, timeout: float) -> str:
    """ANSWERS (any HTTP status), SILENT (connected, no answer in time: a stopped process does so), or REFUSED.

    A listening socket alone proves nothing: the kernel accepts for a process under SIGSTOP.
    """
    try:
        loopback.get(url, timeout=timeout)
    except httpx.ConnectError:
        return REFUSED
    except httpx.TimeoutException:
        return SILENT
    except httpx.RemoteProtocolError:
        return SILENT
    except httpx.HTTPError as error:
        raise CouldNotLook(f"no answer: {type(error).__name__}", where=url) from error
    return ANSWERS
