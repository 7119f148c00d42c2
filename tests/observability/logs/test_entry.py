"""What a line says about itself; every sample is of a real component's log."""

from datetime import UTC, datetime

import pytest

from lakeproof.observability.logs.entry import LEVELS, Entry, make_entry

NOW = datetime(2026, 11, 26, 21, 0, tzinfo=UTC).timestamp()


def entry_of(text: str) -> list[Entry]:
    entries: list[Entry] = []
    at = 0
    for line in text.splitlines():
        if entries and entries[-1].takes(line):
            entries[-1].add(line, at + len(line) + 1)
        else:
            entries.append(make_entry(line, at, at + len(line) + 1, NOW))
        at += len(line) + 1
    return entries


@pytest.mark.parametrize(
    ("line", "time", "level"),
    [
        ("2026-11-26T20:12:49,258 WARN [AdminClient clientId=1] no (NetworkClient)", "20:12:49.258", "warning"),
        ("2026-11-26 20:12:47,043 WARNING prepare lakeproof.x unset", "20:12:47.043", "warning"),
        (
            "2026-11-26 20:16:28,390 INFO Configuration location: file:/x (YamlConfigurationLoader)",
            "20:16:28.390",
            "info",
        ),
        (
            '{"at":"2026-11-26T20:12:56.040+00:00","level":"ERROR","logger":"x","message":"INFO"}',
            "20:12:56.040",
            "error",
        ),
        ("2026-11-26 20:12:53 0 [Warning] Could not increase number of max_open_files", "20:12:53.000", "warning"),
        ("2026-11-26 20:12:53 0 [Note] Starting MariaDB", "20:12:53.000", "info"),
        (
            "2026-11-26  3:16:00 0 [Warning] Could not increase number of max_open_files to more than 20000",
            "03:16:00.000",
            "warning",
        ),
        ("2026-11-26  0:00:01 0 [Note] InnoDB: Buffer pool(s) load completed", "00:00:01.000", "info"),
        ("2026-11-26 20:15:57.963 UTC [23037] LOG:  starting PostgreSQL 15.18", "20:15:57.963", "info"),
        ("2026-11-26 20:15:57.963 UTC [23037] FATAL:  role does not exist", "20:15:57.963", "critical"),
        ("22052:M 26 Nov 2026 20:15:46.806 * monotonic clock: POSIX clock_gettime", "20:15:46.806", "info"),
        ("22052:C 26 Nov 2026 20:15:46.805 # Configuration loaded", "20:15:46.805", "warning"),
        (
            "2026-11-26T20:14:55.171Z\tINFO\ticeberg-1\torg.apache.iceberg.SnapshotScan\tScanning",
            "20:14:55.171",
            "info",
        ),
        ("2026-11-26T20:18:00.123Z\terror\tlib/storage.go:12\tno space", "20:18:00.123", "error"),
        ("ts=2026-11-26T20:18:00.123Z caller=main.go:1 level=warn msg=x", "20:18:00.123", "warning"),
        ("20:12:49 | vgw | 200 |  295.744µs | 127.0.0.1 | GET | / | - | ", "20:12:49.000", "unknown"),
        ("2026-11-27T03:12:49.258+07:00 ERROR x", "20:12:49.258", "error"),
    ],
)
def test_time_and_level_of_every_kind_of_log(line: str, time: str, level: str) -> None:
    (entry,) = entry_of(line)
    at = datetime.fromtimestamp(entry.time_ns / 1e9, UTC)
    assert at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] == f"2026-11-26 {time}"
    assert entry.level == level and level in LEVELS


def test_a_line_without_a_time_is_of_now_and_so_is_one_from_the_future() -> None:
    assert entry_of("OpenJDK 64-Bit Server VM warning: x")[0].time_ns == int(NOW * 1e9)
    assert entry_of("2036-11-26T20:12:49,258 WARN x")[0].time_ns == int(NOW * 1e9)
    assert entry_of("2026-13-45T20:12:49,258 WARN x")[0].time_ns == int(NOW * 1e9)


JAVA = """2026-11-26T20:12:49,258 ERROR Task threw an uncaught exception (WorkerTask)
org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded
\tat org.apache.kafka.connect.Runtime.run(Runtime.java:1)

\t... 12 more
Caused by: java.lang.IllegalStateException: no
\tat x.Y(Z.java:3)
2026-11-26T20:12:49,300 INFO next (Worker)"""
PYTHON = """2026-11-26 20:12:47,043 ERROR lakeproof.x it failed
Traceback (most recent call last):
  File "a.py", line 1, in <module>
    x()
KeyError: 'a'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 2, in <module>
ValueError: b
2026-11-26 20:12:48,000 INFO lakeproof.x next"""
UNCAUGHT = """2026-11-26 20:12:47,043 INFO lakeproof.x started
Traceback (most recent call last):
  File "a.py", line 1, in <module>
lakeproof.errors.CouldNotLook: no answer
OpenJDK 64-Bit Server VM warning: another start"""
MIDNIGHT = """2026-11-25 23:59:13 867 [Note] Start binlog_dump to slave_server(5502), pos(, 0), using_gtid(1)
2026-11-26  0:00:02 867 [Warning] Aborted connection 867 to db: 'oltp' user: 'order_service' host: '127.0.0.1'
2026-11-26  0:00:04 0 [Note] /usr/sbin/mariadbd: ready for connections.
Version: '10.11.19-MariaDB-0+deb12u1-log'  socket: 'mysql.sock'  port: 3306  Debian 12
2026-11-26  3:16:01 5 [Warning] Access denied for user 'reader'@'127.0.0.1' (using password: YES)"""
LOGGING = """Nov 26, 2026 8:12:59 PM com.github.shyiko.mysql.binlog.BinaryLogClient setGtidSet
SEVERE: Enabling GTID failed
Nov 26, 2026 8:13:59 PM x y
INFO: next"""
BARE_JAVA = """Exception in thread "main" java.lang.Error: x
\tat y
next words"""


@pytest.mark.parametrize(
    ("text", "lines", "levels"),
    [
        (JAVA, [7, 1], ["error", "info"]),
        (PYTHON, [11, 1], ["error", "info"]),
        (UNCAUGHT, [1, 3, 1], ["info", "error", "unknown"]),
        (MIDNIGHT, [1, 1, 2, 1], ["info", "warning", "info", "warning"]),
        (LOGGING, [2, 2], ["error", "info"]),
        (BARE_JAVA, [2, 1], ["error", "unknown"]),
        ("a\nb\nWARNING: c", [1, 1, 1], ["unknown", "unknown", "warning"]),
    ],
)
def test_a_trace_is_one_entry(text: str, lines: list[int], levels: list[str]) -> None:
    entries = entry_of(text)
    assert [entry.lines for entry in entries] == lines
    assert [entry.level for entry in entries] == levels
    assert "\n".join(entry.text for entry in entries) == text
    assert [entry.begins for entry in entries[1:]] == [entry.ends for entry in entries[:-1]]


def test_lines_of_one_millisecond_keep_their_order_and_a_line_its_time() -> None:
    text = "2026-11-26T20:12:49,258 INFO same\n" * 3
    first, second, third = (entry.time_ns for entry in entry_of(text))
    assert first < second < third < first + 1_000_000
    assert [entry.time_ns for entry in entry_of(text)] == [first, second, third]
