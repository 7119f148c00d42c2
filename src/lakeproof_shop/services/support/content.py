"""The content type of a file, by its bytes. The file's name and the sender's Content-Type do not count."""

import codecs
from dataclasses import dataclass, field

HEAD_BYTES = 16
ALLOWED = ("image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "text/plain")
_BEGINNINGS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"%PDF-": "application/pdf",
}
_CONTROL = frozenset(map(chr, (*range(0x20), 0x7F))) - frozenset("\t\n\r\f")


@dataclass
class ContentLook:
    """Call `feed` with a file's bytes in order, then `content_type`."""

    _head: bytearray = field(default_factory=bytearray)
    _decoder: codecs.IncrementalDecoder = field(default_factory=lambda: codecs.getincrementaldecoder("utf-8")())
    _is_text: bool = True

    def feed(self, data: bytes) -> None:
        """Look at the next bytes."""
        if len(self._head) < HEAD_BYTES:
            self._head += data[: HEAD_BYTES - len(self._head)]
        if self._is_text:
            self._is_text = self._reads_as_text(data, final=False)

    def content_type(self) -> str | None:
        """The file's type, which is one of ALLOWED; None for any other."""
        head = bytes(self._head)
        for beginning, found in _BEGINNINGS.items():
            if head.startswith(beginning):
                return found
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return "image/webp"
        return "text/plain" if head and self._is_text and self._reads_as_text(b"", final=True) else None

    def _reads_as_text(self, data: bytes, *, final: bool) -> bool:
        try:
            return _CONTROL.isdisjoint(self._decoder.decode(data, final))
        except UnicodeDecodeError:
            return False
