"""A real VictoriaLogs and a real shipper: nothing lost and nothing doubled, whatever is killed."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import httpx
import pytest
from tests.engines.conftest import Up

from lakeproof.deadline import Deadline
from lakeproof.install import artifacts
from lakeproof.observability.logs.query import parse
from lakeproof.observability.logs.search import in_files, in_store
from lakeproof.observability.logs.shipper import IN_MEMORY_SECONDS
from lakeproof.processes import logfile
from lakeproof.stack.engines import victorialogs
from lakeproof.stack.services import log_shipper
from lakeproof.stack.stack import Stack, load_stack

pytestmark = [pytest.mark.engines, pytest.mark.proof]

KILLS = 50
# Of 45 kB/s, so that there are several rotations in a test.
ROTATE_BYTES = 256 * 1024
WRITER = """
import os, sys, time
out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
number = 0
while not os.path.exists(sys.argv[2]):
    for _ in range(40):
        line = b"%s INFO line %09d of the writer\\n" % (time.strftime("%Y-%m-%d %H:%M:%S").encode(), number)
        if number % 7 == 0:
            os.write(out, line[:20]); time.sleep(0.001); os.write(out, line[20:])
        else:
            os.write(out, line)
        number += 1
    time.sleep(0.04)
print(number)
"""


class Processes:
    """VictoriaLogs and the shipper of one folder, each started and killed by hand."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.log = stack.log_path("numbers")
        self.log.parent.mkdir(parents=True)
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.store_was_killed = False

    def start_store(self) -> None:
        victorialogs.prepare(self.stack)
        self._start("store", victorialogs.command(self.stack).argv, {})

        def ready() -> bool:
            victorialogs.ready(self.stack, 1.0)
            return True

        Deadline(20.0).wait_for("VictoriaLogs", ready, every=0.05)

    def start_shipper(self) -> None:
        command = log_shipper.command(self.stack)
        self._start("shipper", command.argv, dict(command.env))

    def kill(self, name: str) -> None:
        self.store_was_killed = self.store_was_killed or name == "store"
        process = self.running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def end(self) -> None:
        for name in list(self.running):
            self.kill(name)

    def _start(self, name: str, argv: tuple[str, ...], env: dict[str, str]) -> None:
        with self.stack.state_dir.joinpath(f"{name}.out").open("ab") as output:
            self.running[name] = subprocess.Popen(
                argv, stdout=output, stderr=output, env={**os.environ, "TZ": "UTC", **env}
            )

    def rows(self, query: str) -> list[dict[str, str]]:
        answer = victorialogs.ask(self.stack, {"query": query}, 30.0)
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]

    def may_lose_a_part(self) -> bool:
        """True where the store has what the oldest part holds, and cannot forget it."""
        kept = logfile.rotated(self.log)
        if len(kept) <= logfile.KEPT:
            return True
        stored = 0
        if not self.store_was_killed:
            with suppress(httpx.HTTPError):
                stored = self.stored_until()
        elif log_shipper.places(self.stack).exists():
            stored = json.loads(log_shipper.places(self.stack).read_text()).get("numbers", 0)
        return stored >= logfile.span(self.log)[0] + kept[0].stat().st_size

    def stored_until(self) -> int:
        """The last position that the store has."""
        rows = self.rows('{container="numbers"} | stats max(log_ends) last')
        return int(rows[0].get("last") or 0) if rows else 0

    def await_push(self) -> None:
        before = self.stored_until()
        Deadline(60.0).wait_for("a push", lambda: self.stored_until() > before or None, every=0.1)

    def numbers(self, written: int) -> Counter[int]:
        """How often each number is there, once the last one is, or a minute has passed."""
        found: Counter[int] = Counter()

        def all_there() -> bool | None:
            nonlocal found
            rows = self.rows('{container="numbers"} | fields _msg')
            found = Counter(
                int(text.split("line ")[1].split()[0]) for row in rows for text in row["_msg"].split("\n")
            )
            return True if len(found) == written else None

        Deadline(60.0).wait_for("every line", all_there, every=1.0, seen=lambda: f"{len(found)} of {written}")
        return found


@pytest.fixture
def processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Processes]:
    assert artifacts.is_there("victorialogs"), "lakeproof setup --only victorialogs"
    shift = os.environ.get("LAKEPROOF_PORT_SHIFT", "3000")
    for name, value in (("NAME", "logs-test"), ("STATE_DIR", str(tmp_path)), ("PORT_SHIFT", shift)):
        monkeypatch.setenv(f"LAKEPROOF_{name}", value)
    made = Processes(load_stack())
    yield made
    made.end()


@pytest.fixture
def writer(processes: Processes, tmp_path: Path) -> Iterator[Callable[[], int]]:
    """A process that writes numbered lines, some in two halves, and a rotation of its log; called, both end."""
    over = threading.Event()
    stop_file = tmp_path / "over"
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(processes.log), str(stop_file)],
        stdout=subprocess.PIPE,
        env={**os.environ, "TZ": "UTC"},
    )
    rotations = 0

    def rotate() -> None:
        nonlocal rotations
        while not over.is_set():
            # What is promised is promised of what the files still hold. On a busy machine a shipper that is killed
            # every two seconds gets nothing done for longer than these small parts last.
            if processes.log.exists() and processes.log.stat().st_size > ROTATE_BYTES and processes.may_lose_a_part():
                rotations += logfile.rotate(processes.log, ROTATE_BYTES)
            over.wait(0.2)

    rotating = threading.Thread(target=rotate)
    rotating.start()

    def end() -> int:
        stop_file.touch()
        over.set()
        rotating.join()
        assert rotations > 1, rotations
        print(f"{rotations} rotations")
        return int(process.communicate(timeout=20)[0])

    yield end
    stop_file.touch()
    over.set()
    rotating.join()
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_each_line_is_there_once_after_fifty_kills_of_the_shipper(
    processes: Processes, writer: Callable[[], int]
) -> None:
    processes.start_store()
    dice = random.Random(16)
    for number in range(KILLS):
        processes.start_shipper()
        if number % 3:  # it is killed while it pushes, or soon after; else while it starts and compares
            processes.await_push()
        time.sleep(dice.uniform(0.0, 1.2))
        processes.kill("shipper")
    processes.start_shipper()
    written = writer()
    found = processes.numbers(written)
    assert sorted(found) == list(range(written))
    assert set(found.values()) == {1}
    print(f"{written} lines, {KILLS} kills")


def test_each_line_is_there_once_after_kills_of_the_store_and_a_long_absence(
    processes: Processes, writer: Callable[[], int]
) -> None:
    processes.start_store()
    processes.start_shipper()
    dice = random.Random(17)
    for _ in range(12):
        time.sleep(dice.uniform(0.2, 4.0))
        processes.kill("store")
        time.sleep(dice.uniform(0.0, 1.0))
        processes.start_store()
    time.sleep(IN_MEMORY_SECONDS)
    processes.kill("store")
    time.sleep(8.0)
    processes.start_store()
    written = writer()
    found = processes.numbers(written)
    assert sorted(found) == list(range(written))
    assert set(found.values()) == {1}
    memory = Path(f"/proc/{processes.running['shipper'].pid}/status").read_text()
    most_kib = int(memory.split("VmHWM:")[1].split()[0])
    assert most_kib < 40 * 1024, memory
    print(f"{written} lines, at most {most_kib} KiB")


def test_what_the_store_refuses_for_want_of_room_waits_in_the_files(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(victorialogs, "MIN_FREE_BYTES", 1 << 60)
    processes.start_store()
    processes.log.write_text("".join(f"2026 line {number} waits\n" for number in range(100)))
    processes.start_shipper()
    health = f"{processes.stack.url('log-shipper')}/health"

    def degraded() -> str | None:
        with suppress(httpx.HTTPError):
            answer = httpx.get(health)
            if answer.status_code == 503:
                return str(answer.json()["dependencies"]["log store"])
        return None

    said = Deadline(20.0).wait_for("the shipper to say so", degraded)
    assert "read-only" in said or "answered" in said, said
    processes.kill("store")
    monkeypatch.undo()
    processes.start_store()
    assert processes.numbers(100) == Counter(range(100))


def test_odd_bytes_long_lines_and_traces_are_found_by_the_same_query_in_store_and_files(processes: Processes) -> None:
    processes.start_store()
    long = "x" * 999_990 + " the end"
    processes.log.write_bytes(
        b"2026-11-26 20:00:00,000 INFO caf\xe9 \x00 and \xf0\x9f\x98\x80\n"
        + long.encode()
        + b"\n"
        + b'{"at":"2026-11-26T20:00:01.000+00:00","level":"ERROR","message":"as JSON"}\n'
        + b"2026-11-26 20:00:02,000 ERROR failed\njava.lang.Error: no\n\tat x.Y(Z.java:3)\n\n"
        + b"2026-11-26 20:00:03,000 WARN last\n"
    )
    processes.start_shipper()
    folder = processes.log.parent

    def all_there() -> bool | None:
        return bool(in_store(processes.stack, parse("{} last"), 10, None)) or None

    Deadline(20.0).wait_for("the last entry", all_there)
    for text in (
        "{} caf",
        '{container="numbers"} 😀',
        '{container=~"num.*", level="error"}',
        '{level="error"} "java.lang.Error: no"',
        '{service="numbers"} |~ "Z\\.java:\\d" !json',
        '{level!="error"} "the end"',
        '{container="number"}',
        "{} as JSON",
        "{} !a",
    ):
        query = parse(text)
        stored = sorted(asdict(hit)["line"] for hit in in_store(processes.stack, query, 100, None))
        assert stored == sorted(hit.line for hit in in_files(folder, query, 100, None)), text
        print(len(stored), text)
    pieces = in_store(processes.stack, parse('{level="unknown"}'), 100, None)
    assert "".join(hit.line for hit in pieces).count("x") == 999_990


def test_other_users_of_the_machine_cannot_read_the_store(processes: Processes) -> None:
    processes.start_store()
    url = f"{processes.stack.url('victorialogs')}/select/logsql/query"
    assert httpx.get(url, params={"query": "*"}).status_code == 401
    assert processes.stack.data_dir("victorialogs").stat().st_mode & 0o077 == 0


def test_under_the_supervisor_both_come_back_and_a_component_s_words_are_found_once(stack: Stack, up: Up) -> None:
    client = up("log-shipper", "redis")
    for name in ("victorialogs", "log-shipper", "victorialogs"):
        client.kill(name)
        time.sleep(2.0)
    query = parse('{container="redis", level="info"} "ready to accept connections"')

    written = in_files(stack.state_dir / "log", query, 10, None)

    def found() -> bool | None:
        return True if len(in_store(stack, query, 10, None)) >= len(written) > 0 else None

    Deadline(60.0).wait_for("redis' first words", found)
    time.sleep(3.0)  # a second copy would have come by then
    assert in_store(stack, query, 10, None) == written
    rows = {row.name: row for row in client.ps()}
    assert rows["log-shipper"].rss_bytes < 40 << 20
    print(f"shipper {rows['log-shipper'].rss_bytes >> 20} MiB, store {rows['victorialogs'].rss_bytes >> 20} MiB")
