"""The peer: Flink's own MySQL CDC source into Paimon tables, as one job, by SQL as its documentation shows it.

The peer runs on the same Flink, with the same tables and file options as our job. It lacks Debezium's transaction
markers and so the aligner, and it has no Kafka, no heartbeat, no forced snapshot of an idle table, and no publisher.
"""

from collections.abc import Callable, Iterator

from lakeproof.deadline import Deadline
from lakeproof.install import artifacts
from lakeproof.install.build import Options
from lakeproof.install.recipe import load_recipes
from lakeproof.install.setup import set_up
from lakeproof.lake.job.flink_rest import ALIVE, rest_of
from lakeproof.lake.job.spec import table_options
from lakeproof.lake.job.sql_files import load_sql_files
from lakeproof.lake.query.flink import flink_session
from lakeproof.lake.sources.source import OLTP
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.object_store import FLINK_BUCKET, WAREHOUSE
from lakeproof.stack.stack import Stack

ARTIFACT = "flink-mysql-cdc"
DATABASE = "peer"
JOB = "peer-flink-cdc"
# Captured by both sides and judged. Our heartbeat table has no twin at the peer.
TABLES = ("order_events", "order_items", "orders")
GATEWAY = "flink-sql-gateway"
FIRST_SERVER_ID = 5601
STATEMENT_SECONDS = 120.0
# The table options that only our own publisher and rescaling need.
OURS_ALONE = ("commit.force-create-snapshot", "sink.committer-operator-chaining", "sink.operator-uid.suffix")
KEY = "PRIMARY KEY (id) NOT ENFORCED"


def fetch(progress: Callable[[str], None]) -> None:
    """Have the peer's jars in the cache. Raises: TerminalError where they cannot be fetched."""
    if not artifacts.is_there(ARTIFACT):
        progress("fetching Flink's MySQL CDC source and its driver")
        set_up(load_recipes(), Options(), _Told(progress), only=(ARTIFACT,))


class _Told:
    """Passes the set-up's progress on as lines."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def report(self, name: str, text: str) -> None:
        """An event worth a line."""
        self._say(f"{name}: {text}")

    def amount(self, name: str, done: int, total: int, unit: str) -> None:
        """Not shown: the download of 25 MB takes seconds."""


def submit(stack: Stack) -> str:
    """Start the peer's job on a stack whose own lake job was cancelled; gives the job's id once it runs.

    Raises: StatementFailed with Flink's message; DeadlineExpired.
    """
    SupervisorClient(stack).start(GATEWAY)
    session = {
        "execution.runtime-mode": "streaming",
        "execution.checkpointing.interval": f"{int(stack.settings.lake.checkpoint_seconds * 1000)} ms",
        "execution.checkpointing.dir": f"s3://{FLINK_BUCKET}/{JOB}",
        "table.exec.sink.upsert-materialize": "NONE",
        "table.local-time-zone": "UTC",
        "pipeline.name": JOB,
    }
    with flink_session(stack, session) as gateway:
        for statement in statements(stack):
            gateway.run(statement, Deadline(STATEMENT_SECONDS))
    flink = rest_of(stack)

    def running() -> str | None:
        return next((job.id for job in flink.jobs() if job.name == JOB and job.state == "RUNNING"), None)

    job_id = Deadline(STATEMENT_SECONDS).wait_for("the peer's job to run", running)
    SupervisorClient(stack).stop(GATEWAY)  # needed for the submission alone
    return job_id


def cancel_ours(stack: Stack) -> None:
    """Cancel the lake's own job, which was submitted with the JobManager's start; the JobManager stays up."""
    flink = rest_of(stack)
    for job in flink.jobs():
        if job.name != JOB and job.state in ALIVE:
            flink.cancel(job.id)
    Deadline(STATEMENT_SECONDS).wait_for(
        "the lake's job to end", lambda: None if any(job.state in ALIVE for job in flink.jobs()) else True
    )


def statements(stack: Stack) -> Iterator[str]:
    """The peer's SQL: sources, tables, and one STATEMENT SET. The SQL holds the capture account's password."""
    for jar in sorted((artifacts.path(ARTIFACT) / "lib").glob("*.jar")):
        yield f"ADD JAR '{jar.as_uri()}'"
    options = {key: value for key, value in table_options(stack, OLTP).items() if key not in OURS_ALONE}
    defaults = ", ".join(f"'table-default.{key}' = '{value}'" for key, value in options.items())
    yield f"CREATE CATALOG store WITH ('type' = 'paimon', 'warehouse' = '{WAREHOUSE}', {defaults})"
    yield f"CREATE DATABASE IF NOT EXISTS store.{DATABASE}"
    inserts = []
    files = {file.table: file for file in load_sql_files(OLTP.name)}
    keyed = _parted(files["orders"].statements[1])[1]
    for place, table in enumerate(TABLES):
        declared, created, _ = files[table].statements
        columns = _columns(declared)
        source = _source(stack, table, FIRST_SERVER_ID + place)
        yield f"CREATE TEMPORARY TABLE source_{table} {columns} WITH ({source})"
        # A table without a key takes no changelog, so the events have a key here as well.
        of_table = keyed if KEY not in created else _parted(created)[1]
        yield f"CREATE TABLE store.{DATABASE}.{table} {columns} {of_table}"
        inserts.append(f"INSERT INTO store.{DATABASE}.{table} SELECT * FROM source_{table}")
    yield f"EXECUTE STATEMENT SET BEGIN {'; '.join(inserts)}; END"


def _parted(created: str) -> tuple[str, str]:
    """A CREATE TABLE statement in two parts: up to the end of its columns, and its WITH clause."""
    head, _, options = created.rpartition(") WITH (")
    return head, f"WITH ({options}"


def _columns(declared: str) -> str:
    """The column list of a CREATE TABLE statement, in brackets, with a primary key."""
    inner = _parted(declared)[0].partition("(")[2].rstrip()
    return f"({inner}{'' if KEY in inner else f', {KEY}'})"


def _source(stack: Stack, table: str, server_id: int) -> str:
    host, port = stack.host_port("mysql", "tcp")
    options = {
        "connector": "mysql-cdc",
        "hostname": host,
        "port": str(port),
        "username": stack.account("mysql-cdc", "cdc"),
        "password": stack.secret("mysql-cdc"),
        "database-name": "oltp",
        "table-name": table,
        "server-id": str(server_id),
        "server-time-zone": "UTC",
        "jdbc.properties.useSSL": "false",
    }
    return ", ".join(f"'{key}' = '{value}'" for key, value in options.items())
