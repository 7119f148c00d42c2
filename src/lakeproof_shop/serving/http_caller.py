"""Calls services over HTTP with one client session, which is closed at the end of the block."""

from types import TracebackType
from typing import Self

import aiohttp


class ConnectionLost(aiohttp.ClientConnectionError):
    """The connection was lost without an answer: the service may have done what the request asked."""


class HttpCaller:
    """Owns the session. call_seconds: the longest time of one call. most: connections at once; 0: any number."""

    def __init__(self, *, call_seconds: float, connect_seconds: float, most: int = 0) -> None:
        # Idle connections are closed here before the service closes them: else a call could go out on a connection
        # that the service is just closing.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=most, keepalive_timeout=15.0),
            timeout=aiohttp.ClientTimeout(total=call_seconds, sock_connect=connect_seconds),
            middlewares=(_sent_once,),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()


async def _sent_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send `request` once, so that only its caller may repeat it. A GET may be sent again: it changes nothing.

    After the two errors below aiohttp silently sends PUT and DELETE a second time. The caller would see only the
    second result: where that connection was refused, the caller would believe that nothing was done, although the
    first request may have been. Raises: ConnectionLost instead, after which aiohttp does not send again.
    """
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:  # a ClientOSError that aiohttp never repeats, because nothing was sent
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        if request.method == "GET":
            raise
        raise ConnectionLost(str(error)) from error
