"""Who may do what in the order database: one account per part of the stack, none with more than it needs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

# Any host: the server listens on loopback only, and with skip-name-resolve `localhost` would not match a TCP login.
HOST = "%"
# For people who make reports of the shop by hand; no part of the stack uses this account.
REPORT = "report"


@dataclass(frozen=True)
class Account:
    """One account: its password's name among the stack's secrets, and (privileges, on what)."""

    user: str
    secret: str
    grants: tuple[tuple[str, str], ...]


# `cdc` is what Debezium needs to snapshot and to follow the binlog; it does not write.
# `exporter` gets in also where every session is taken (CONNECTION ADMIN): its figures are wanted then above all.
ACCOUNTS = (
    Account(
        "order_service",
        "mysql-order-service",
        (
            *(
                ("SELECT, INSERT, UPDATE, DELETE", f"oltp.{table}")
                for table in ("orders", "order_items", "order_events", "order_operations")
            ),
            ("SELECT, INSERT, UPDATE", "oltp.checkouts"),
        ),
    ),
    Account(
        "cdc",
        "mysql-cdc",
        (("SELECT, RELOAD, SHOW DATABASES, REPLICATION SLAVE, BINLOG MONITOR, SLAVE MONITOR, LOCK TABLES", "*.*"),),
    ),
    Account("ticker", "mysql-ticker", (("SELECT, INSERT, UPDATE", "oltp.cdc_heartbeat"),)),
    Account("exporter", "mysql-exporter", (("PROCESS, BINLOG MONITOR, SLAVE MONITOR, CONNECTION ADMIN", "*.*"),)),
    Account(REPORT, "mysql-report", (("SELECT", "oltp.*"),)),
    Account("reader", "mysql-reader", (("SELECT, PROCESS, BINLOG MONITOR", "*.*"),)),
)


def statements(secret: Callable[[str], str]) -> Iterator[str]:
    """The SQL that makes every account with exactly its grants; safe to repeat, an existing password stays as it is.

    `secret` gives a password by its name; passwords are hex, so they need no quoting.
    """
    for account in ACCOUNTS:
        yield f"CREATE USER IF NOT EXISTS '{account.user}'@'{HOST}' IDENTIFIED BY '{secret(account.secret)}'"
        # First revoke everything, since an older version may have granted more.
        yield f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM '{account.user}'@'{HOST}'"
        for privileges, scope in account.grants:
            yield f"GRANT {privileges} ON {scope} TO '{account.user}'@'{HOST}'"
