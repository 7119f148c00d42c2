"""MariaDB 10.11 (Debian's; 11.8 on Debian 13), the shop's order database and the source of change capture.

Row-based binlog with full images and GTIDs, since Debezium reads it; every commit is on disk before it is
acknowledged. Trap: mariadbd refuses to run as root, so its folder belongs to `mysql`, and every folder above it must
let that user pass.
"""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from lakeproof.errors import NotReady
from lakeproof.stack import provisioned
from lakeproof.stack.component import STEPS_BACK, Command, Component, Hook
from lakeproof.stack.engines import first_start
from lakeproof.stack.os_user import hand_over, let_pass
from lakeproof.stack.own_folder import make_socket_folder, socket_folder
from lakeproof.stack.program import find_program
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

OS_USER = "mysql"
PACKAGE = "mariadb-server"
SOCKET = "mysql.sock"
BINLOG_KEPT_SECONDS = 2 * 86400
# MariaDB's error codes for a refused login: no session is left; the password is wrong.
TOO_MANY, ACCESS_DENIED = 1040, 1045
# From here on the numbers are the client library's: no answer came.
CLIENT_ERRORS = 2000
MAX_CONNECTIONS = 200


def my_cnf(stack: Stack, datadir: Path) -> str:
    """The server's configuration; every option is valid in 10.11 and in 11.8."""
    return f"""\
[mariadbd]
bind-address={stack.settings.host}
port={stack.port("mysql", "tcp")}
datadir={datadir}
socket={socket_path(stack)}
pid-file={datadir / "mariadbd.pid"}
skip-name-resolve
skip-slave-start
local-infile=0
max_connections={MAX_CONNECTIONS}
thread_cache_size=32
character-set-server=utf8mb4
collation-server=utf8mb4_bin
default-time-zone=+00:00
# what was acknowledged survives kill -9 and a power cut
innodb_flush_log_at_trx_commit=1
sync_binlog=1
# change capture
server_id=5401
log_bin=binlog
binlog_format=ROW
binlog_row_image=FULL
binlog_row_metadata=FULL
# MariaDB >= 11.4 would leave out the events' positions, by which the lake's job tells a change from its repetition
loose-binlog_legacy_event_pos=ON
gtid_strict_mode=ON
log_slave_updates=ON
max_binlog_size=128M
binlog_expire_logs_seconds={BINLOG_KEPT_SECONDS}
# MariaDB >= 11.4 would purge nothing while no replica is connected, and the only one is the connector
loose-slave_connections_needed_for_purge=0
# small
innodb_buffer_pool_size=64M
innodb_log_file_size=64M
performance_schema=OFF
# shows who holds the lock on a table that others wait for
plugin_load_add=metadata_lock_info
"""


def socket_path(stack: Stack) -> Path:
    """Where the socket lies."""
    return socket_folder(stack, "mysql", SOCKET) / SOCKET


def command(stack: Stack) -> Command:
    """The server in the foreground, as `mysql` where Lakeproof runs as root."""
    return Command(
        (program("mariadbd"), f"--defaults-file={stack.etc_dir('mysql') / 'my.cnf'}"),
        cwd=stack.data_dir("mysql"),
        user=OS_USER,
    )


def program(name: str) -> str:
    """A program of mariadb-server. Raises: MissingArtifact."""
    return find_program(name, package=f"{PACKAGE} ({name})")


def prepare(stack: Stack) -> None:
    """Before each start: folders, configuration, and once the system tables.

    The install works in a folder beside the data's, and renames it once it is whole: a start never meets half-made
    tables.
    Raises: TerminalError where a folder on the way does not let the server's user pass, or the install fails.
    """
    data = stack.data_dir("mysql")
    database = data / "db"
    data.mkdir(parents=True, exist_ok=True)
    _hand_over(data)
    make_socket_folder(socket_path(stack).parent, OS_USER, PACKAGE)
    let_pass(stack.state_dir, data.parent, OS_USER)
    _write_cnf(stack, stack.etc_dir("mysql") / "my.cnf", database)
    if not database.exists():
        _install(stack, data / "db.new", database)


def _install(stack: Stack, fresh: Path, database: Path) -> None:
    program("mariadbd")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    _hand_over(fresh)
    cnf = stack.etc_dir("mysql") / "install.cnf"
    _write_cnf(stack, cnf, fresh)
    as_user = [f"--user={OS_USER}"] if os.geteuid() == 0 else []
    first_start.run(
        [
            program("mariadb-install-db"),
            f"--defaults-file={cnf}",
            *as_user,
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-log-bin",
        ]
    )
    # Before the server listens for the first time root gets its password, and every other account is removed.
    password = stack.secret("mysql-root")
    first_start.run(
        [program("mariadbd"), f"--defaults-file={cnf}", *as_user, "--bootstrap", "--skip-log-bin"],
        text="FLUSH PRIVILEGES;\n"
        "DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host <> 'localhost');\n"
        "FLUSH PRIVILEGES;\n"
        f"ALTER USER 'root'@'localhost' IDENTIFIED BY '{password}';\n"
        f"CREATE USER 'root'@'127.0.0.1' IDENTIFIED BY '{password}';\n"
        "GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;\n",
    )
    provisioned.forget(stack, "mysql")
    fresh.rename(database)


def _write_cnf(stack: Stack, path: Path, datadir: Path) -> None:
    write_file(path, my_cnf(stack, datadir))
    path.chmod(0o644)
    let_pass(stack.state_dir, path.parent, OS_USER)


def _hand_over(folder: Path) -> None:
    hand_over(folder, OS_USER, PACKAGE, 0o700)


def connect(
    stack: Stack,
    user: str,
    secret: str,
    seconds: float,
    database: str | None = None,
    *,
    connect_seconds: float | None = None,
) -> "Connection[Cursor]":
    """A connection of one of the accounts, autocommit, every step within `seconds`. Raises: pymysql errors.

    connect_seconds: the time for connecting, where that must be less than `seconds`.
    """
    import pymysql

    host, port = stack.host_port("mysql", "tcp")
    whole = max(1, round(seconds))
    return pymysql.connect(
        host=host,
        port=port,
        user=stack.account(secret, user),
        password=stack.secret(secret),
        database=database,
        connect_timeout=whole if connect_seconds is None else max(1, round(connect_seconds)),
        read_timeout=whole,
        write_timeout=whole,
        autocommit=True,
        charset="utf8mb4",
        # Our own server listens on loopback. By default each connection builds a TLS context, 17 ms of a core,
        # whether or not the server offers TLS. Somebody else's may want it.
        ssl_disabled=stack.settings.mode == "local",
    )


def ready(stack: Stack, timeout: float) -> None:
    """It answers SELECT 1, or refuses the password or one more connection.

    A refused password: whose fault that is, provision says. "Too many connections": two of us may want root's one
    place at the same moment, and who took the others is asked elsewhere. Raises: NotReady.
    """
    import pymysql

    try:
        with connect(stack, "root", "mysql-root", timeout) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except pymysql.MySQLError as error:
        if error.args and error.args[0] in (TOO_MANY, ACCESS_DENIED):
            return
        raise NotReady(f"no answer: {words(error)}", where="mysql") from error


def words(error: Exception) -> str:
    """What the driver says of an error, as one line."""
    return f"{type(error).__name__} {' '.join(str(part) for part in error.args)}"


COMPONENTS = (
    Component(
        name="mysql",
        kind="engine",
        command=command,
        ready=ready,
        prepare=prepare,
        hooks=(Hook.PROVISION,),
        start_seconds=60.0,
        stop_seconds=20.0,
        image="mysql:8.0.40",
        summary="the shop's order database (MariaDB)",
        nice=STEPS_BACK,
        one_because="a second MariaDB would be a replica, and capture and the services know one primary",
    ),
)
