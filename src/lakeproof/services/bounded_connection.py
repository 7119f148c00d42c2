"""What uvicorn leaves without an end on a connection: a request's line and headers, and a caller who does not read.

Headers have a size and a time; a caller who takes nothing of what is written for SEND_SECONDS is cut off. A body's
limits are the gate's (gate.py).
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
    """uvicorn's protocol; ends a connection without a whole head in HEAD_SECONDS, with too large a one, and one whose
    caller does not read.

    An idle connection between two requests is uvicorn's own to close (timeout_keep_alive).
    """

    _head_bytes = 0
    _in_body = False
    _piece_is_mixed = False  # the piece that is being read holds more than the bytes of one head
    _late: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The time of the first head begins."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._end_head()
        self._is_read()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counted while the head is not whole."""
        self._piece_is_mixed = self._in_body
        super().data_received(data)
        if self._late is None:
            if self._is_idle_without_end:  # line ends between two requests stop uvicorn's own clock
                self._expect_head()
            return
        # Where the piece also holds the end of an earlier request, nobody knows how much of it is head: from the next
        # piece on it is counted.
        self._head_bytes += 0 if self._piece_is_mixed else len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            logger.warning("headers too large", extra={"bytes": self._head_bytes})
            self.transport.write(_TOO_LARGE)
            self._end_head()
            self._close()

    def on_message_begin(self) -> None:
        """A next request on this connection."""
        super().on_message_begin()
        if self._late is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """From here on the gate's limits hold."""
        self._end_head()
        self._in_body = self._piece_is_mixed = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """What comes next on this connection is a head again."""
        self._in_body = False
        super().on_message_complete()

    def pause_writing(self) -> None:
        """More is written than the caller has read."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(SEND_SECONDS, self._cut_off)

    def resume_writing(self) -> None:
        """The caller reads."""
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
        """It was idle for too long; what the last answer left unread must not keep it either."""
        super().timeout_keep_alive_handler()
        self._close()

    def _close(self) -> None:
        self.transport.close()
        self.loop.call_later(SEND_SECONDS, self.transport.abort)  # close waits for the caller to take what is written

    def _is_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _cut_off(self) -> None:
        """At once, for nobody reads."""
        self._unread = None
        logger.warning("the answer was not taken", extra={"seconds": SEND_SECONDS})
        self.transport.abort()
