"""What calls services over HTTP: one session, closed at the end of the block."""

from types import TracebackType
from typing import Self

import aiohttp


class ConnectionLost(aiohttp.ClientConnectionError):
    """The service took the connection and closed it without an answer: what was asked may have been done."""


class HttpCaller:
    """Owns the session. `call_seconds`: a call's longest. `most`: connections at once; 0: any number."""

    def __init__(self, *, call_seconds: float, connect_seconds: float, most: int = 0) -> None:
        # Idle connections are dropped before a service does it, or a call could meet its closing.
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
    """Send `request`, and let nobody send it again but its caller; a GET may be sent again, for it changes nothing.

    After these two errors aiohttp sends PUT and DELETE a second time, without a word. The caller would see only how
    the second one ended: where its connection was refused, what the first one did would be told as not done.
    Raises: ConnectionLost instead, after which aiohttp sends nothing again.
    """
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:  # one of the errors below; aiohttp never repeats it, for nothing was sent
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        if request.method == "GET":
            raise
        raise ConnectionLost(str(error)) from error
