"""mysqld-exporter 0.14 (Debian's; 0.17 on Debian 13): the order database's own figures, connections above all.

Its password lies in a file of mode 600, since others can read a process' arguments and environment.
"""

from lakeproof.stack.component import Command, Component, Scrape
from lakeproof.stack.program import find_program
from lakeproof.stack.python_module import answers_ok
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

# Metrics that Prometheus keeps.
METRICS = (
    "mysql_up",
    "mysql_global_status_threads_connected",
    "mysql_global_variables_max_connections",
    "mysql_global_variables_binlog_expire_logs_seconds",
)


def command(stack: Stack) -> Command:
    """Listens on loopback; collectors are off that find nothing on this server, or whose metrics nobody reads."""
    program = find_program("prometheus-mysqld-exporter", "mysqld_exporter", package="mysqld-exporter")
    return Command(
        (
            program,
            f"--config.my-cnf={stack.etc_dir('mysqld-exporter') / 'my.cnf'}",
            f"--web.listen-address={stack.settings.host}:{stack.port('mysqld-exporter')}",
            "--no-collect.slave_status",
            "--no-collect.info_schema.query_response_time",
            "--no-collect.info_schema.innodb_cmp",
            "--no-collect.info_schema.innodb_cmpmem",
            "--log.level=warn",
        )
    )


def prepare(stack: Stack) -> None:
    """Before each start: a file with the database's address and the password, mode 600."""
    host, port = stack.host_port("mysql", "tcp")
    write_file(
        stack.etc_dir("mysqld-exporter") / "my.cnf",
        f"[client]\nuser=exporter\npassword={stack.secret('mysql-exporter')}\nhost={host}\nport={port}\n",
        mode=0o600,
    )


COMPONENTS = (
    Component(
        name="mysqld-exporter",
        kind="engine",
        command=command,
        ready=answers_ok(
            "mysqld-exporter",
            "It serves its own page; whether the database answers is a metric (mysql_up), not its health.",
            "/",
        ),
        provision_needs=("mysql",),
        prepare=prepare,
        scrapes=(Scrape("http", seconds=5.0, names=METRICS),),
        start_seconds=60.0,
        image="prom/mysqld-exporter:v0.17.2",
        summary="figures of the order database",
    ),
)
