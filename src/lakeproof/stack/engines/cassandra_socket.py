"""One CQL question over a plain socket: log in, ask, read text answers; every step within one deadline.

For the health question, asked every two seconds: the driver has threads and retries of its own, and would not give a
stopped node up in time. Native protocol version 4 (doc/native_protocol_v4.spec of Cassandra).
"""

import socket
import struct

from lakeproof.deadline import Deadline

BAD_CREDENTIALS = 0x0100

_VERSION = 0x04
_ERROR, _STARTUP, _READY, _AUTHENTICATE, _QUERY, _RESULT, _AUTH_RESPONSE, _AUTH_SUCCESS = 0, 1, 2, 3, 7, 8, 15, 16
_ROWS = 2
_CONSISTENCY_ONE = 1
_SKIP_METADATA = 2
_LARGEST_ANSWER = 1 << 20


class CqlError(Exception):
    """The node answered with an error: its code and words."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(f"error {code:#06x}: {message}")


def ask(
    address: tuple[str, int], user: str, password: str, statement: str, seconds: float
) -> list[tuple[str | None, ...]]:
    """The rows of a statement whose columns are all text. Raises: OSError, EOFError, CqlError."""
    deadline = Deadline(seconds)
    with socket.create_connection(address, timeout=seconds) as connection:
        exchange = _Exchange(connection, deadline)
        started, _ = exchange.send(_STARTUP, b"\x00\x01" + _string("CQL_VERSION") + _string("3.0.0"))
        if started == _AUTHENTICATE:
            token = f"\0{user}\0{password}".encode()
            exchange.send(_AUTH_RESPONSE, struct.pack(">i", len(token)) + token)
        text = statement.encode()
        query = struct.pack(">i", len(text)) + text + struct.pack(">HB", _CONSISTENCY_ONE, _SKIP_METADATA)
        opcode, body = exchange.send(_QUERY, query)
    kind, _, columns, rows = struct.unpack_from(">iiii", body)
    if opcode != _RESULT or kind != _ROWS:
        raise CqlError(0, f"no rows: answer {opcode}, kind {kind}")
    return _rows(body[16:], columns, rows)


class _Exchange:
    """One frame out, one frame in."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection, self._deadline = connection, deadline

    def send(self, opcode: int, body: bytes) -> tuple[int, bytes]:
        """The answer's opcode and body. Raises: CqlError where the node says so."""
        self._connection.settimeout(max(0.001, self._deadline.left))
        self._connection.sendall(struct.pack(">BBhBi", _VERSION, 0, 0, opcode, len(body)) + body)
        _, _, _, answered, size = struct.unpack(">BBhBi", self._read(9))
        if not 0 <= size <= _LARGEST_ANSWER:
            raise EOFError(f"an answer of {size} bytes")
        answer = self._read(size)
        if answered == _ERROR:
            code, length = struct.unpack_from(">iH", answer)
            raise CqlError(code, answer[6 : 6 + length].decode(errors="replace"))
        return answered, answer

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            if self._deadline.expired:
                raise TimeoutError("timed out")
            self._connection.settimeout(self._deadline.left)
            part = self._connection.recv(size - len(data))
            if not part:
                raise EOFError("closed in the middle of an answer")
            data += part
        return data


def _string(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode()


def _rows(data: bytes, columns: int, rows: int) -> list[tuple[str | None, ...]]:
    values: list[str | None] = []
    at = 0
    for _ in range(columns * rows):
        (size,) = struct.unpack_from(">i", data, at)
        at += 4
        values.append(None if size < 0 else data[at : at + size].decode())
        at += max(0, size)
    return [tuple(values[start : start + columns]) for start in range(0, len(values), columns)]
