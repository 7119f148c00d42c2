"""Limits that uvicorn lacks: on a request's line and headers, and on a caller that does not read its answer.

The head of a request has a limit of size and of time. A caller that reads too little of its answer for SEND_SECONDS
is cut off. The gate has the limits on a body (gate.py).
"""

import asyncio
import logging

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

logger = logging.getLogger(__name__)

MAX_HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 10.0
SEND_SECONDS = 30.0
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's protocol with limits. It ends a connection whose head (request line and headers) is not whole within
    HEAD_SECONDS or is too large, and one whose caller does not read.

    uvicorn itself closes a connection that is idle between two requests (timeout_keep_alive).
    """

    _head_bytes = 0
    _in_body = False
    _piece_is_mixed = False  # the piece of data that is being read holds more than the bytes of one head
    _late: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock of the first head."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all clocks."""
        self._end_head()
        self._is_read()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of a head that is not whole yet."""
        self._piece_is_mixed = self._in_body
        super().data_received(data)
        if self._late is None:
            if self._is_idle_without_end:  # blank lines between two requests stop uvicorn's keep-alive clock
                self._expect_head()
            return
        # Where the piece also holds the end of an earlier request, nobody knows how many of its bytes are head.
        # Counting begins with the next piece.
        self._head_bytes += 0 if self._piece_is_mixed else len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            logger.warning("headers too large", extra={"bytes": self._head_bytes})
            self.transport.write(_TOO_LARGE)
            self._end_head()
            self._close()

    def on_message_begin(self) -> None:
        """The next request on this connection begins."""
        super().on_message_begin()
        if self._late is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """The head is whole; the gate's limits hold for the body."""
        self._end_head()
        self._in_body = self._piece_is_mixed = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is whole; the next bytes on this connection are a head again."""
        self._in_body = False
        super().on_message_complete()

    def pause_writing(self) -> None:
        """The write buffer is full, because the caller does not read: start the clock that cuts it off."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(SEND_SECONDS, self._cut_off)

    def resume_writing(self) -> None:
        """The caller has read enough: stop the clock."""
        self._is_read()
        super().resume_writing()

    @property
    def _is_idle_without_end(self) -> bool:
        no_request = self.cycle is None or self.cycle.response_complete
        return no_request and self.timeout_keep_alive_task is None and not self.transport.is_closing()

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._late = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _end_head(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        self._late = None
        self._close()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that was idle for too long, also where a part of the last answer is still unread."""
        super().timeout_keep_alive_handler()
        self._close()

    def _close(self) -> None:
        self.transport.close()
        self.loop.call_later(SEND_SECONDS, self.transport.abort)  # close() waits until the caller has read all

    def _is_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _cut_off(self) -> None:
        """End the connection at once, because the caller does not read."""
        self._unread = None
        logger.warning("the answer was not taken", extra={"seconds": SEND_SECONDS})
        self.transport.abort()
