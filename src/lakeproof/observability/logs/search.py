"""Asking the logs: VictoriaLogs or Loki where it answers, else the log files themselves."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.observability.logs.entry import Entry
from lakeproof.observability.logs.push import BEGINS, StoreAway, labels
from lakeproof.observability.logs.query import LABELS, Query
from lakeproof.observability.logs.tailer import Tailer
from lakeproof.processes import logfile
from lakeproof.stack import loopback
from lakeproof.stack.engines import victorialogs
from lakeproof.stack.stack import Stack

SECONDS = 30.0
FOLLOW_PAUSE_SECONDS = 0.5
# Without a start Loki looks back one hour, and it refuses a span of over 721 h (its max_query_length).
LOKI_SECONDS = 30 * 86_400.0


@dataclass(frozen=True)
class Hit:
    """One entry found. time: ISO 8601, UTC. level: one of LEVELS."""

    time: str
    container: str
    service: str
    level: str
    line: str


def in_store(stack: Stack, query: Query, limit: int, since_seconds: float | None) -> list[Hit]:
    """The newest `limit` entries, oldest first. Raises: StoreAway; CouldNotLook where the store refuses the query."""
    if victorialogs.server(stack) == "loki":
        return _in_loki(stack, query, limit, LOKI_SECONDS if since_seconds is None else since_seconds)
    within = f"_time:{since_seconds:.0f}s " if since_seconds is not None else ""
    text = f"{within}{query.to_logsql()} | sort by (_time desc, {BEGINS} desc) limit {limit}"
    try:
        answer = victorialogs.ask(stack, {"query": text}, SECONDS)
    except httpx.HTTPError as error:
        raise StoreAway(f"no answer: {type(error).__name__}", where=victorialogs.NAME) from error
    _require_ok(answer.status_code, answer.text)
    return [_hit(line) for line in reversed(answer.text.splitlines())]


def _in_loki(stack: Stack, query: Query, limit: int, since_seconds: float) -> list[Hit]:
    start = str(int((time.time() - since_seconds) * 1e9))
    asked = {"query": query.to_logql(), "limit": str(limit), "start": start, "direction": "backward"}
    url = f"{stack.url(victorialogs.NAME)}/loki/api/v1/query_range"
    try:
        answer = loopback.get(url, params=asked, timeout=SECONDS, headers=victorialogs.login(stack))
    except httpx.HTTPError as error:
        raise StoreAway(f"no answer: {type(error).__name__}", where="loki") from error
    _require_ok(answer.status_code, answer.text, "loki")
    try:
        # What the shipper gives beside an entry, such as BEGINS, comes among the labels.
        rows = [
            (int(time_ns), int(stream["stream"].get(BEGINS, 0)), _labelled(int(time_ns), stream["stream"], line))
            for stream in answer.json()["data"]["result"]
            for time_ns, line, *_ in stream["values"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CouldNotLook("answered something else than Loki does", where=url) from error
    return [hit for *_, hit in sorted(rows, key=lambda row: row[:2])]


def missing_lately(stack: Stack) -> str:
    """Why the store may lack the newest entries of our own stack; empty where the shipper says that all is well."""
    try:
        answer = loopback.get(f"{stack.url('log-shipper')}/health", timeout=2.0)
        return "" if answer.status_code == 200 else str(answer.json()["dependencies"]["log store"])
    except httpx.HTTPError as error:
        return f"log-shipper gives no answer: {type(error).__name__}"
    except (ValueError, KeyError):
        return "somebody else answers on log-shipper's port"


def follow_store(stack: Stack, query: Query) -> Iterator[Hit]:
    """The entries that come from now on, for ever. Raises: StoreAway, CouldNotLook."""
    if victorialogs.server(stack) == "loki":
        raise CouldNotLook(
            "Loki is followed by a websocket, which is not spoken here",
            where="--follow",
            next_action="lakeproof logs --query … --since 1m, again and again",
        )
    parameters = {"query": query.to_logsql(), "offset": "1s", "refresh_interval": "1s"}
    url = f"{stack.url(victorialogs.NAME)}/select/logsql/tail"
    try:
        with (
            httpx.Client(timeout=httpx.Timeout(SECONDS, read=None), trust_env=False) as client,
            client.stream("GET", url, params=parameters, headers=victorialogs.login(stack)) as answer,
        ):
            if answer.status_code != 200:
                _require_ok(answer.status_code, answer.read().decode(errors="replace"))
            for line in answer.iter_lines():
                if line:
                    yield _hit(line)
    except httpx.HTTPError as error:
        raise StoreAway(f"answers no longer: {type(error).__name__}", where=victorialogs.NAME) from error


def in_files(folder: Path, query: Query, limit: int, since_seconds: float | None) -> list[Hit]:
    """As `in_store`, but from the log files, older rotated parts included."""
    found: list[tuple[int, Hit]] = []
    for name, path in _files(folder, query):
        # A line without a time of its own is as old as the file.
        written = path.stat().st_mtime
        tailer = Tailer(name, path, logfile.span(path)[0])
        end = logfile.span(path)[1]
        while True:
            before = tailer.position
            entries = [*tailer.entries(written)]
            if tailer.position == before or tailer.position >= end:
                entries += tailer.entries(written, ending=True)
            found += [(entry.time_ns, _of_entry(name, entry)) for entry in entries if _finds(query, name, entry)]
            if len(found) > 4 * limit:
                found = _newest(found, limit)
            if tailer.position == before or tailer.position >= end:
                break
    if since_seconds is not None:
        oldest = (datetime.now().timestamp() - since_seconds) * 1e9
        found = [each for each in found if each[0] >= oldest]
    return [hit for _, hit in _newest(found, limit)]


def follow_files(folder: Path, query: Query) -> Iterator[Hit]:
    """The entries that are written from now on, for ever."""
    tailers: dict[str, Tailer] = {}
    for_ever, first = Deadline(float("inf")), True
    while True:
        for name, path in _files(folder, query):
            if name not in tailers:
                tailers[name] = Tailer(name, path, logfile.span(path)[1] if first else 0)
        first = False
        now = datetime.now().timestamp()
        for name, tailer in tailers.items():
            for entry in tailer.entries(now):
                if _finds(query, name, entry):
                    yield _of_entry(name, entry)
        for_ever.pause(FOLLOW_PAUSE_SECONDS)


def _newest(found: list[tuple[int, Hit]], limit: int) -> list[tuple[int, Hit]]:
    return sorted(found, key=lambda each: each[0])[-limit:]


def _files(folder: Path, query: Query) -> list[tuple[str, Path]]:
    named = [(path.name.removesuffix(".log"), path) for path in sorted(folder.glob("*.log"))]
    return [(name, path) for name, path in named if query.takes(_without_level(name))]


def _without_level(name: str) -> dict[str, str]:
    return {label: value for label, value in labels(name, "").items() if label != "level"}


def _finds(query: Query, name: str, entry: Entry) -> bool:
    return bool(entry.text.strip()) and query.takes(labels(name, entry.level)) and query.finds(entry.text)


def _of_entry(name: str, entry: Entry) -> Hit:
    return _labelled(entry.time_ns, labels(name, entry.level), entry.text)


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _hit(line: str) -> Hit:
    row = json.loads(line)
    named = {label: row.get(label, "") for label in LABELS}
    return Hit(_iso(datetime.fromisoformat(row["_time"])), line=row.get("_msg", ""), **named)


def _labelled(time_ns: int, labels: dict[str, str], line: str) -> Hit:
    named = {label: labels.get(label, "") for label in LABELS}
    return Hit(_iso(datetime.fromtimestamp(time_ns / 1e9, UTC)), line=line, **named)


def _require_ok(status: int, text: str, where: str = victorialogs.NAME) -> None:
    if status != 200:
        raise CouldNotLook(
            f"answered {status}: {text[:300].strip()}",
            where=where,
            next_action="lakeproof logs --query … --files asks the log files, where they are this machine's",
        )
