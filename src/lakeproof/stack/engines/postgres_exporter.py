"""postgres-exporter 0.11 (Debian's; 0.17 on Debian 13): PostgreSQL's own figures, connections above all.

Its password lies in a file of mode 600, since others can read a process' arguments and environment.
"""

from lakeproof.stack.component import Command, Component, Scrape
from lakeproof.stack.program import find_program
from lakeproof.stack.python_module import answers_ok
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

NAME = "postgres-exporter"
# Metrics that Prometheus keeps.
METRICS = (
    "pg_up",
    "pg_stat_database_numbackends",
    "pg_settings_max_connections",
    "pg_settings_max_slot_wal_keep_size_bytes",
    "pg_replication_slots_pg_wal_lsn_diff",
)


def command(stack: Stack) -> Command:
    """Listens on loopback; asks one database, whose views show all of the server's databases."""
    program = find_program("prometheus-postgres-exporter", "postgres_exporter", package=NAME)
    host, port = stack.host_port("postgres", "tcp")
    return Command(
        (
            program,
            f"--web.listen-address={stack.settings.host}:{stack.port(NAME)}",
            "--log.level=warn",
        ),
        env={
            "DATA_SOURCE_URI": f"{host}:{port}/postgres?sslmode=disable&connect_timeout=2",
            "DATA_SOURCE_USER": "exporter",
            "DATA_SOURCE_PASS_FILE": str(stack.etc_dir(NAME) / "password"),
        },
    )


def prepare(stack: Stack) -> None:
    """Before each start: the password, mode 600."""
    write_file(stack.etc_dir(NAME) / "password", stack.secret("postgres-exporter"), mode=0o600)


COMPONENTS = (
    Component(
        name=NAME,
        kind="engine",
        command=command,
        ready=answers_ok(
            NAME, "It serves its own page; whether the database answers is a metric (pg_up), not its health.", "/"
        ),
        provision_needs=("postgres",),
        prepare=prepare,
        scrapes=(Scrape("http", seconds=5.0, names=METRICS),),
        start_seconds=60.0,
        in_plain_up=False,
        image="quay.io/prometheuscommunity/postgres-exporter:v0.17.1",
        summary="figures of PostgreSQL",
    ),
)
