"""A local HTTP server that keeps the rules of Loki's documentation, as far as logs are pushed to it and asked of it.

Written to docs/sources/reference/loki-http-api.md and the pages on troubleshooting ingestion of grafana/loki; no Loki
was asked. An entry that a stream has already, by labels, time and text, is passed over. An entry too far behind its
stream is refused with 400, and the others of the same push are taken. Structured metadata comes back among an
entry's labels, as it does where the client does not ask for them apart.
"""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

# Half of Loki's max_chunk_age: an entry may be so much older than the newest of its stream.
OUT_OF_ORDER_NS = 3_600_000_000_000
MAX_ENTRIES_LIMIT = 5000
MAX_QUERY_NS = 721 * 3_600_000_000_000
_NOT_EMPTY = "parse error : queries require at least one regexp or equality matcher that does not have an empty value"
_MATCHER = re.compile(r'\s*(\w+)(=~|!~|!=|=)("(?:[^"\\]|\\.)*")\s*(?:,|$)')
_FILTER = re.compile(r'\s*(\|~|!~)\s*("(?:[^"\\]|\\.)*")')

type Stream = tuple[tuple[str, str], ...]
type Answer = tuple[int, str]


@dataclass
class Loki:
    """What it has, and how it behaves.

    goes: cleared, it stands still, and what it was given then is taken in when it goes on. hangs_up: it closes each
    connection and takes nothing; deaf: it takes the next push and closes the connection. waiting: pushes that it
    has read and not taken in.
    """

    port: int = 0
    entries: dict[Stream, list[tuple[int, str, dict[str, str]]]] = field(default_factory=dict)
    goes: threading.Event = field(default_factory=threading.Event)
    ready: bool = True
    limited: bool = False
    hangs_up: bool = False
    deaf: bool = False
    waiting: int = 0
    answered: list[tuple[str, int]] = field(default_factory=list)
    logins: set[str] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def texts(self) -> list[str]:
        found = [entry for entries in self.entries.values() for entry in entries]
        return [text for _, text, _ in sorted(found, key=lambda each: (each[0], int(each[2]["log_begins"])))]

    def push(self, kind: str, body: bytes) -> Answer:
        if kind != "application/json":
            return 400, "couldn't parse push request: not snappy"
        if self.limited:
            return 429, "ingestion rate limit exceeded for user fake (limit: 4194304 bytes/sec)"
        told = []
        for stream in json.loads(body)["streams"]:
            labels = tuple(sorted(stream["stream"].items()))
            stored = self.entries.setdefault(labels, [])
            newest = max((time_ns for time_ns, *_ in stored), default=0)
            ignored = 0
            for given, text, *metadata in stream["values"]:
                if not isinstance(given, str):
                    return 400, "loghttp.PushRequest.Streams: the timestamp is no string"
                assert all(isinstance(value, str) for found in metadata for value in found.values())
                if int(given) < newest - OUT_OF_ORDER_NS:
                    ignored += 1
                elif (int(given), text) not in [each[:2] for each in stored]:
                    stored.append((int(given), text, metadata[0] if metadata else {}))
                    newest = max(newest, int(given))
            if ignored:
                told.append(
                    "entry with timestamp … ignored, reason: 'entry too far behind, oldest acceptable …',"
                    f"\nuser 'fake', total ignored: {ignored} out of {len(stream['values'])} for stream: {labels}"
                )
        return (400, "\n".join(told)) if told else (204, "")

    def query_range(self, given: dict[str, str]) -> Answer:
        limit = int(given.get("limit", "100"))
        end = int(given.get("end", time.time_ns()))
        start = int(given.get("start", end - 3_600_000_000_000))
        if limit > MAX_ENTRIES_LIMIT:
            return 400, f"max entries limit per query exceeded, limit > max_entries_limit ({limit} > 5000)"
        if end - start > MAX_QUERY_NS:
            return 400, "the query time range exceeds the limit (query length: …, limit: 30d1h)"
        selector, _, rest = given["query"].partition("}")
        matchers = [(label, how, json.loads(value)) for label, how, value in _MATCHER.findall(selector[1:])]
        filters = [(how, json.loads(value)) for how, value in _FILTER.findall(rest)]
        if _MATCHER.sub("", selector) != "{" or _FILTER.sub("", rest).strip():
            return 400, "parse error : syntax error"
        if not any(
            (how == "=" and value) or (how == "=~" and not re.fullmatch(value, "")) for _, how, value in matchers
        ):
            return 400, _NOT_EMPTY
        found: list[tuple[int, Stream, str]] = []
        for stream, entries in self.entries.items():
            labels = dict(stream)
            if all(_fits(how, value, labels.get(label, "")) for label, how, value in matchers):
                found += [
                    (time_ns, tuple(sorted((labels | metadata).items())), text)
                    for time_ns, text, metadata in entries
                    if start <= time_ns < end
                    and all((re.search(value, text) is not None) == (how == "|~") for how, value in filters)
                ]
        backward = given.get("direction", "backward") == "backward"
        found = sorted(found, key=lambda each: each[0], reverse=backward)[:limit]
        streams: dict[Stream, list[list[str]]] = {}
        for time_ns, labels_, text in found:
            streams.setdefault(labels_, []).append([str(time_ns), text])
        result = [{"stream": dict(labels_), "values": values} for labels_, values in streams.items()]
        return 200, json.dumps(
            {"status": "success", "data": {"resultType": "streams", "result": result, "stats": {}}}
        )


def _fits(how: str, wanted: str, value: str) -> bool:
    hit = re.fullmatch(wanted, value) is not None if how.endswith("~") else value == wanted
    return hit != how.startswith("!")


@contextmanager
def loki_server() -> Iterator[Loki]:
    """One that answers on a port of its own."""
    loki = Loki()
    loki.goes.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            given = {name: values[0] for name, values in parse_qs(parts.query).items()}
            if parts.path == "/ready":
                self._answer(*((200, "ready") if loki.ready else (503, "Ingester not ready")))
            elif parts.path == "/loki/api/v1/query_range":
                self._answer(*loki.query_range(given))
            else:
                self._answer(404, "404 page not found")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path != "/loki/api/v1/push":
                self._answer(404, "404 page not found")
                return
            loki.waiting += 1
            loki.goes.wait()
            answer = (500, "") if loki.hangs_up else loki.push(self.headers["Content-Type"], body)
            loki.waiting -= 1
            if loki.deaf:
                loki.deaf, self.close_connection = False, True
            else:
                self._answer(*answer)

        def _answer(self, status: int, text: str) -> None:
            loki.goes.wait()
            loki.logins.add(self.headers.get("Authorization", ""))
            if loki.hangs_up:
                self.close_connection = True
                return
            loki.answered.append((urlsplit(self.path).path, status))
            body = text.encode()
            with suppress(OSError):  # who asked has given up meanwhile
                self.send_response(status)
                if status != 204:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    loki.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield loki
    finally:
        loki.goes.set()
        server.shutdown()
        server.server_close()
        thread.join()
