"""Handing entries to a log store in Loki's push format, over one connection that is never renewed silently.

A connection is one life of the store: where it breaks, what was pushed lately may be lost with the store's memory, or
may have come although no answer did. So whoever pushes must connect anew on purpose, and look first (`stored`).
After a push that timed out, `connect` waits: the push may still come.
Standard library only: the shipper must stay small.
"""

import base64
import http.client
import json
import re
import time
from collections.abc import Callable, Iterable
from urllib.parse import urlencode, urlsplit

from lakeproof.errors import LakeproofError, TransientError
from lakeproof.observability.logs.entry import Entry
from lakeproof.observability.logs.tailer import Range, merged

# Without the parameter VictoriaLogs would make fields of an entry that is JSON, and no text would be left to search.
PUSH_PATHS = {"victorialogs": "/insert/loki/api/v1/push?disable_message_parsing=1", "loki": "/loki/api/v1/push"}
SECONDS = 10.0
# Once a store that stood still goes on, it takes in the requests that lie complete in its sockets. `connect` gives it
# this long for that.
LATE_SECONDS = 2.0
# Beside each entry, not among its labels: where it lies in its log, so that none is stored twice.
BEGINS, ENDS = "log_begins", "log_ends"

type Batch = dict[str, list[Entry]]


class StoreAway(TransientError):
    """The log store does not answer, or takes nothing now."""


class Refused(LakeproofError):
    """The log store will never take these entries as they are."""


class LogStore:
    """VictoriaLogs, or Loki, at `url`.

    password: of the user lakeproof, by Basic authentication; may be empty. pause: waits that many seconds.
    """

    def __init__(self, kind: str, url: str, password: str = "", pause: Callable[[float], None] = time.sleep) -> None:
        parts = urlsplit(url)
        self.kind = kind
        self._pause = pause
        self._push_may_come_late = False
        self._host, self._port, self._secure = parts.hostname or "", parts.port, parts.scheme == "https"
        self._connection: http.client.HTTPConnection | None = None
        self._headers = {"Content-Type": "application/json"}
        if password:
            self._headers["Authorization"] = authorization(password)

    @property
    def connected(self) -> bool:
        """True from `connect` until an answer fails to come."""
        return self._connection is not None

    def connect(self) -> None:
        """Connect, and have the store flush what was pushed before, so that queries find it. Raises: StoreAway."""
        self.close()
        make = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        self._connection = made = make(self._host, self._port, timeout=SECONDS)
        try:
            made.connect()
        except OSError as error:
            self.close()
            raise StoreAway(f"does not answer: {error}") from error
        made.auto_open = 0
        if self._push_may_come_late:
            self.require_same_life()  # an answer: the store does not stand still any more
            self._pause(LATE_SECONDS)
            self._push_may_come_late = False
        if self.kind == "victorialogs":
            self._ask("POST", "/internal/force_flush")
        else:
            self._ask("GET", "/ready")

    def require_same_life(self) -> None:
        """Return where the store has not been restarted since `connect`. Raises: StoreAway."""
        self._ask("GET", "/health" if self.kind == "victorialogs" else "/ready")

    def stored(self, container: str, begins: int, ends: int) -> list[Range]:
        """Which bytes of this part of a log the store has. Loki is not asked: it knows by itself what it has already.

        Raises: StoreAway.
        """
        if self.kind == "loki":
            return []
        query = f"{{container={json.dumps(container)}}} {ENDS}:>{begins} {BEGINS}:<{ends} | fields {BEGINS}, {ENDS}"
        answer = self._ask("POST", "/select/logsql/query", urlencode({"query": query}).encode(), form=True)
        try:
            rows = [json.loads(line) for line in answer.splitlines()]
            return merged([(int(row[BEGINS]), int(row[ENDS])) for row in rows])
        except (ValueError, KeyError, TypeError) as error:
            self.close()
            raise StoreAway(f"answered what is no list of entries: {type(error).__name__} {error}") from error

    def push(self, batch: Batch) -> int:
        """Store these entries, container → entries; gives how many it refused for good. Raises: StoreAway."""
        entries = [(container, entry) for container, found in batch.items() for entry in found]
        return self._push(entries)

    def close(self) -> None:
        """Forget the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _push(self, entries: list[tuple[str, Entry]]) -> int:
        try:
            self._ask("POST", PUSH_PATHS[self.kind], json.dumps(pushed(entries)).encode(), refusable=True)
        except Refused as error:
            if self.kind == "loki":  # it has taken the other entries, and mostly tells how many of each stream not
                return max(1, sum(map(int, re.findall(r"total ignored: (\d+) out of", error.what))))
            if len(entries) == 1:
                return 1
            half = len(entries) // 2
            return self._push(entries[:half]) + self._push(entries[half:])
        return 0

    def _ask(
        self, method: str, path: str, body: bytes | None = None, *, form: bool = False, refusable: bool = False
    ) -> bytes:
        if self._connection is None:
            raise StoreAway("not connected")
        headers = self._headers | ({"Content-Type": "application/x-www-form-urlencoded"} if form else {})
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            # After a timeout a push may still come. Where the connection broke, the store has nothing of it any more.
            self._push_may_come_late |= isinstance(error, TimeoutError)
            raise StoreAway(f"gave no answer: {type(error).__name__} {error}".rstrip()) from error
        if answer.status == 400 and refusable:
            raise Refused(f"answered 400: {text.decode(errors='replace')}")
        if answer.status >= 300:
            self.close()
            raise StoreAway(f"answered {answer.status}: {text[:200].decode(errors='replace').strip()}")
        return text


def pushed(entries: Iterable[tuple[str, Entry]]) -> dict[str, object]:
    """The body of a push: one stream per container and level."""
    streams: dict[tuple[str, str], list[list[object]]] = {}
    for container, entry in entries:
        value: list[object] = [str(entry.time_ns), entry.text, {BEGINS: str(entry.begins), ENDS: str(entry.ends)}]
        streams.setdefault((container, entry.level), []).append(value)
    return {
        "streams": [
            {"stream": labels(container, level), "values": values} for (container, level), values in streams.items()
        ]
    }


def labels(container: str, level: str) -> dict[str, str]:
    """All that an entry is labelled with. `service`: the container, or the one whose further process it is."""
    return {"container": container, "service": service_of(container), "level": level}


def service_of(container: str) -> str:
    """The service of a container: flink-taskmanager for flink-taskmanager-2 (stack/addresses.py names them)."""
    return re.sub(r"-[2-9]$", "", container)


def authorization(password: str) -> str:
    """The header of the user lakeproof."""
    return "Basic " + base64.b64encode(f"lakeproof:{password}".encode()).decode()
