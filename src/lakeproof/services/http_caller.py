"""What calls services over HTTP: one session, closed at the end of the block."""

from types import TracebackType
from typing import Self

import aiohttp


class HttpCaller:
    """Owns the session. `call_seconds`: a call's longest. `most`: connections at once; 0: any number."""

    def __init__(self, *, call_seconds: float, connect_seconds: float, most: int = 0) -> None:
        # Idle connections are dropped before a service does it, or a call could meet its closing.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=most, keepalive_timeout=15.0),
            timeout=aiohttp.ClientTimeout(total=call_seconds, sock_connect=connect_seconds),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()
