"""Lines of real components' logs, and what a reader takes out of them."""

from datetime import UTC, datetime

from lakeproof.observability.logs.entry import Entry, make_entry

NOW = datetime(2026, 11, 26, 21, 0, tzinfo=UTC).timestamp()


def entries_of(text: str) -> list[Entry]:
    """What the shipper makes of a log."""
    entries: list[Entry] = []
    at = 0
    for line in text.splitlines():
        if entries and entries[-1].takes(line):
            entries[-1].add(line, at + len(line) + 1)
        else:
            entries.append(make_entry(line, at, at + len(line) + 1, NOW))
        at += len(line) + 1
    return entries


# Each an entry: the line, its time of 26 November 2026, its level.
LINES = [
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
    (
        "2026-11-26T20:12:53.123456Z 0 [System] [MY-010931] [Server] mysqld: ready for connections.",
        "20:12:53.123",
        "info",
    ),
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
]
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
# The last HINT is of another process, whose message stands in a part of the log that was not read.
POSTGRES = """2026-11-26 20:15:58.592 UTC [13287] FATAL:  password authentication failed for user "ticker"
2026-11-26 20:15:58.592 UTC [13287] DETAIL:  Role "ticker" does not exist.
\tConnection matched pg_hba.conf line 2: "host all all all scram-sha-256"
2026-11-26 20:15:59.001 UTC [13290] ann@shop ERROR:  relation "x" does not exist at character 15
2026-11-26 20:15:59.001 UTC [13290] ann@shop HINT:  Perhaps you meant "y".
2026-11-26 20:15:59.001 UTC [13290] ann@shop STATEMENT:  SELECT * FROM x
2026-11-26 20:15:59.002 UTC [13291] ann@shop HINT:  another one's"""
LOGGING = """Nov 26, 2026 8:12:59 PM com.github.shyiko.mysql.binlog.BinaryLogClient setGtidSet
SEVERE: Enabling GTID failed
Nov 26, 2026 8:13:59 PM x y
INFO: next"""
BARE_JAVA = """Exception in thread "main" java.lang.Error: x
\tat y
next words"""
