"""MariaDB: the order database's tables and its accounts."""

from importlib.resources import files

import pymysql

from lakeproof.errors import NotReady, TerminalError
from lakeproof.provisioning import statements_of
from lakeproof.stack import provisioned
from lakeproof.stack.engines import mysql, mysql_accounts
from lakeproof.stack.stack import Stack

# A row here asks a running connector for something (lake/capture/backfill.py). Debezium wants these three columns.
SIGNAL_TABLE = """CREATE TABLE IF NOT EXISTS oltp.cdc_signal (
    id VARCHAR(64) NOT NULL PRIMARY KEY, type VARCHAR(32) NOT NULL, data VARCHAR(2048) NULL
) ENGINE=InnoDB"""


# Changes that a database made by an earlier version lacks: (a query that finds the change, the statement that makes
# it). Each is one ALTER, run only where it is needed: every ALTER goes through the binlog to change capture.
_SINCE = (
    (
        "SELECT 1 FROM information_schema.check_constraints WHERE constraint_schema = 'oltp'"
        " AND constraint_name = 'status_is_known' AND check_clause LIKE '%returned%'",
        "ALTER TABLE oltp.orders DROP CONSTRAINT status_is_known, ADD CONSTRAINT status_is_known"
        " CHECK (status IN ('created', 'paid', 'cancelled', 'returned'))",
    ),
    (
        "SELECT 1 FROM information_schema.columns WHERE table_schema = 'oltp' AND table_name = 'checkouts'"
        " AND column_name = 'asked_at'",
        "ALTER TABLE oltp.checkouts ADD COLUMN asked_at DATETIME(6) NULL",
    ),
)


def schema_statements() -> list[str]:
    """The order database's DDL, one statement each."""
    scripts = (files(f"lakeproof_shop.services.{part}").joinpath("schema.sql") for part in ("order", "checkout"))
    return [each for script in scripts for each in statements_of(script.read_text(encoding="utf-8"))]


def provision(stack: Stack) -> None:
    """Once ready: schema and accounts. What exists stays as it is, even with a changed password or a lost grant.

    Raises: TerminalError where root's password is not the one that this database was made with.
    """
    try:
        with mysql.connect(stack, "root", "mysql-root", 30.0) as connection, connection.cursor() as cursor:
            for statement in (*schema_statements(), SIGNAL_TABLE):
                cursor.execute(statement)
            for question, change in _SINCE:
                if not cursor.execute(question):
                    cursor.execute(change)
            # Keep accounts out of the binlog: their names and password hashes are no business of its readers.
            cursor.execute("SET SESSION sql_log_bin = 0")
            accounts = provisioned.digest(*mysql_accounts.statements(lambda name: name))
            if not provisioned.is_made(stack, "mysql", "accounts", accounts):
                for statement in mysql_accounts.statements(stack.secret):
                    cursor.execute(statement)
                provisioned.remember(stack, "mysql", "accounts", accounts)
    except pymysql.err.OperationalError as error:
        if error.args[0] == mysql.ACCESS_DENIED:
            raise TerminalError(
                "root's password in secrets.json is not the one that this database was made with",
                where=str(stack.state_dir / "secrets.json"),
                next_action="put the old secrets.json back, or remove the whole stack's state",
            ) from error
        raise NotReady(f"provision was cut off: {mysql.words(error)}", where="mysql") from error
