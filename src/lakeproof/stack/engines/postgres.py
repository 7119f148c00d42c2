"""PostgreSQL 15 (Debian's; 17 on Debian 13), the database of payment, fulfillment, support and notification.

Every commit is on disk before it is acknowledged; the WAL is logical, since Debezium reads it, and no slot may keep
more of it than it is allowed to. Traps: its programs lie in a folder of their own for each version, and a folder of
data can only be run by the version that made it; postgres refuses to run as root, so its folder belongs to the user
`postgres`, and every folder above it must let that user pass.
"""

import asyncio
import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakeproof.errors import MissingArtifact, NotReady, TerminalError
from lakeproof.observability.written import write_file
from lakeproof.stack import provisioned
from lakeproof.stack.component import Command, Component
from lakeproof.stack.engines import postgres_accounts as accounts
from lakeproof.stack.os_user import hand_over, let_pass
from lakeproof.stack.stack import Stack

if TYPE_CHECKING:
    import asyncpg

NAME = "postgres"
OS_USER = "postgres"
PACKAGE = "postgresql"
ROOT_USER, ROOT_SECRET = "postgres", "postgres-root"
VERSIONS = Path("/usr/lib/postgresql")  # Debian's place: one folder for each version
MAX_SOCKET_PATH = 100  # the kernel takes 107 bytes
INSTALL_SECONDS = 50.0
LOCK_SECONDS = 10
MAX_CONNECTIONS = 200
SLOT_KEEPS = "512MB"  # a slot that nobody reads loses its place beyond it, before the disk is full
PUBLICATION = "lake"
# Rows that no lake reads: their old values need not be written into the WAL.
NOT_CAPTURED = r"outbox|.*\_operations"


def postgresql_conf(stack: Stack, database: Path) -> str:
    """The server's configuration; every option is valid in 15 and in 17."""
    etc = stack.etc_dir(NAME)
    return f"""\
data_directory = '{database}'
hba_file = '{etc / "pg_hba.conf"}'
ident_file = '{etc / "pg_ident.conf"}'
listen_addresses = '{stack.settings.host}'
port = {stack.port(NAME, "tcp")}
unix_socket_directories = '{socket_folder(stack)}'
unix_socket_permissions = 0700
password_encryption = 'scram-sha-256'
max_connections = {MAX_CONNECTIONS}
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
# what was acknowledged survives kill -9 and a power cut
fsync = on
synchronous_commit = on
full_page_writes = on
# change capture
wal_level = logical
max_wal_senders = 6
max_replication_slots = 6
max_slot_wal_keep_size = {SLOT_KEEPS}
# what a dead client had asked for does not go on holding locks
client_connection_check_interval = 1s
# small
shared_buffers = 32MB
min_wal_size = 64MB
max_wal_size = 512MB
max_parallel_workers_per_gather = 0
jit = off
# nothing of it outside its own folder, and no need of /dev/shm
dynamic_shared_memory_type = mmap
# no statement in the log: passwords stand in some
log_destination = 'stderr'
logging_collector = off
log_min_error_statement = panic
"""


# Who comes over TCP or the socket proves it by a password, always; nobody copies the whole server.
PG_HBA = """\
local all all scram-sha-256
host all all 127.0.0.0/8 scram-sha-256
"""


def socket_folder(stack: Stack) -> Path:
    """Where the socket lies: beside the data, or under the temporary folder where its path would be too long."""
    beside = stack.data_dir(NAME) / "run"
    if len(os.fsencode(beside / ".s.PGSQL.65535")) <= MAX_SOCKET_PATH:
        return beside
    short = hashlib.sha256(os.fsencode(stack.state_dir)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"lakeproof-postgres-{short}"


def programs(database: Path) -> Path:
    """The folder of the programs that can run these data: of the version that made them, else the newest.

    Raises: MissingArtifact where there is none, TerminalError where there are only others.
    """
    found = {path.parent.parent.name: path.parent for path in VERSIONS.glob("*/bin/postgres")}
    if not found:
        on_path = shutil.which("postgres")
        if on_path is None:
            raise MissingArtifact(f"{PACKAGE} (postgres, initdb)")
        return Path(on_path).resolve().parent
    made_by = database / "PG_VERSION"
    if not made_by.exists():
        return found[max(found, key=float)]
    version = made_by.read_text().strip()
    if version not in found:
        raise TerminalError(
            f"its data are of PostgreSQL {version}, and this machine has {', '.join(sorted(found, key=float))}",
            where=str(database),
            next_action=f"apt-get install postgresql-{version}, or move the data by pg_upgrade",
        )
    return found[version]


def command(stack: Stack) -> Command:
    """The server in the foreground, as `postgres` where Lakeproof runs as root. Raises: as `programs`."""
    data = stack.data_dir(NAME)
    program = programs(data / "db") / "postgres"
    return Command(
        (str(program), "-c", f"config_file={stack.etc_dir(NAME) / 'postgresql.conf'}"), cwd=data, user=OS_USER
    )


def prepare(stack: Stack) -> None:
    """Before each start: folders, configuration, and once the system tables.

    They are made in a folder beside, which takes its place by one rename: so a half-done initdb is never taken for a
    whole one.
    Raises: TerminalError where a folder on the way does not let the server's user pass, or initdb fails.
    """
    data, etc = stack.data_dir(NAME), stack.etc_dir(NAME)
    database = data / "db"
    for folder, mode in ((data, 0o700), (socket_folder(stack), 0o755)):
        folder.mkdir(parents=True, exist_ok=True)
        hand_over(folder, OS_USER, PACKAGE, mode)
    let_pass(stack.state_dir, data.parent, OS_USER)
    for name, text in (
        ("postgresql.conf", postgresql_conf(stack, database)),
        ("pg_hba.conf", PG_HBA),
        ("pg_ident.conf", ""),
    ):
        write_file(etc / name, text)
    let_pass(stack.state_dir, etc, OS_USER)
    if not database.exists():
        _install(stack, data / "db.new", database)


def _install(stack: Stack, fresh: Path, database: Path) -> None:
    initdb = programs(database) / "initdb"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    hand_over(fresh, OS_USER, PACKAGE, 0o700)
    password = fresh.with_name("initdb.password")
    write_file(password, f"{stack.secret(ROOT_SECRET)}\n", mode=0o600)
    try:
        hand_over(password, OS_USER, PACKAGE, 0o600)
        _run_initdb(
            [
                str(initdb),
                f"--pgdata={fresh}",
                f"--username={ROOT_USER}",
                f"--pwfile={password}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--lc-ctype=C.UTF-8",
                "--data-checksums",
            ]
        )
    finally:
        password.unlink(missing_ok=True)
    provisioned.forget(stack, NAME)
    fresh.rename(database)


def _run_initdb(argv: list[str]) -> None:
    """Raises: TerminalError with what it said."""
    user: dict[str, Any] = {}
    if os.geteuid() == 0:
        entry = pwd.getpwnam(OS_USER)
        user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": ()}
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
            cwd="/",
            env=environment,
            **user,
        )
    except subprocess.TimeoutExpired as error:
        raise TerminalError(f"no end after {INSTALL_SECONDS:.0f} s", where=argv[0]) from error
    if done.returncode != 0:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        problems = [line for line in said if "error" in line.lower()] or said[-5:]
        raise TerminalError(
            f"ended with code {done.returncode}: {' | '.join(problems[-5:])}",
            where=argv[0],
            next_action="free disk space or mend what it names, then start again",
        )


@asynccontextmanager
async def connection(
    stack: Stack,
    user: str,
    secret: str,
    seconds: float,
    database: str = "postgres",
    schema: str | None = None,
    lock_seconds: int | None = None,
) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    """A connection of one of the accounts, autocommit; the whole block within `seconds`, then TimeoutError.

    schema: where plain names are looked for; None: as the account has it. lock_seconds: how long it waits for a lock.
    Raises: asyncpg's errors, OSError.
    """
    import asyncpg

    host, port = stack.host_port(NAME, "tcp")
    options = {"search_path": schema} if schema else {}
    if lock_seconds is not None:
        options["lock_timeout"] = f"{lock_seconds}s"
    async with asyncio.timeout(seconds):
        opened = await asyncpg.connect(
            host=host,
            port=port,
            user=user,
            password=stack.secret(secret),
            database=database,
            ssl=False,
            server_settings=options or None,
        )
        try:
            yield opened
        finally:
            opened.terminate()  # a goodbye could hang


def select(
    stack: Stack,
    user: str,
    secret: str,
    sql: str,
    *args: object,
    seconds: float = 10.0,
    database: str = "postgres",
    schema: str | None = None,
    lock_seconds: int | None = None,
) -> list[tuple[Any, ...]]:
    """The rows of one statement, for whoever is no coroutine. Raises: asyncpg's errors, OSError."""

    async def ask() -> list[tuple[Any, ...]]:
        async with connection(stack, user, secret, seconds, database, schema, lock_seconds) as opened:
            return [tuple(row) for row in await opened.fetch(sql, *args)]

    return asyncio.run(ask())


def ready(stack: Stack, timeout: float) -> None:
    """It answers SELECT 1. A refused password is an answer too: whose fault that is, provision says."""
    import asyncpg

    try:
        select(stack, ROOT_USER, ROOT_SECRET, "SELECT 1", seconds=timeout)
    except asyncpg.InvalidPasswordError:
        return
    except (
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        OSError,
        EOFError,
    ) as error:
        raise NotReady(f"no answer: {type(error).__name__} {error}".rstrip(), where=NAME) from error


def schema_of(service: str) -> str:
    """The SQL of the tables of a service: its outbox, and its own schema.sql."""
    shop = files("lakeproof.shop")
    own = shop / service / "schema.sql"
    return "\n".join(part.read_text(encoding="utf-8") for part in (shop / "outbox.sql", own) if part.is_file())


def provision(stack: Stack) -> None:
    """Once ready: accounts, the database, its schemas and tables, and what is published of them for change capture.

    What exists stays as it is, a changed password or a lost grant too.
    Raises: TerminalError where root's password is not the one that this server was made with, or its data are of the
    older layout, a database for each service.
    """
    import asyncpg

    try:
        asyncio.run(_provision(stack))
    except asyncpg.InvalidPasswordError as error:
        raise TerminalError(
            "root's password in secrets.json is not the one that this server was made with",
            where=str(stack.state_dir / "secrets.json"),
            next_action="put the old secrets.json back, or remove the whole stack's state",
        ) from error
    except (
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        asyncpg.PostgresConnectionError,
        OSError,
        EOFError,
    ) as error:
        raise NotReady(f"provision was cut off: {type(error).__name__} {error}".rstrip(), where=NAME) from error


async def _provision(stack: Stack) -> None:
    nobody: frozenset[str] = frozenset()
    definition = provisioned.digest(
        *accounts.account_statements(lambda name: name, nobody),
        *accounts.database_statements(nobody),
        *accounts.schema_statements(),
    )
    if not provisioned.is_made(stack, NAME, "accounts", definition):
        async with connection(stack, ROOT_USER, ROOT_SECRET, 30.0) as root:
            databases = await _names(root, "SELECT datname FROM pg_database")
            _require_one_database(stack, databases)
            roles = await _names(root, "SELECT rolname FROM pg_roles")
            await _execute(root, accounts.account_statements(stack.secret, roles))
            await _execute(root, accounts.database_statements(databases))
        async with connection(stack, ROOT_USER, ROOT_SECRET, 30.0, accounts.DATABASE) as root:
            await _execute(root, accounts.schema_statements())
        provisioned.remember(stack, NAME, "accounts", definition)
    for schema in accounts.SCHEMAS:
        async with connection(stack, ROOT_USER, ROOT_SECRET, 30.0, accounts.DATABASE, schema) as root:
            await _make_tables(root, schema)
    await _publish(stack)


def _require_one_database(stack: Stack, databases: frozenset[str]) -> None:
    """Before, each service had a database of its own. Their rows are not moved in silence, nor left aside."""
    old = sorted(databases.intersection(accounts.SCHEMAS))
    if old and accounts.DATABASE not in databases:
        raise TerminalError(
            f"its data are of an older layout: {', '.join(old)} are databases, and now are schemas of one, "
            f"{accounts.DATABASE}",
            where=str(stack.data_dir(NAME) / "db"),
            next_action="to keep rows, pg_dump them with the older version first; then `lakeproof down`, and remove "
            f"{stack.data_dir(NAME)}: it is made anew",
        )


async def _make_tables(root: "asyncpg.Connection[asyncpg.Record]", schema: str) -> None:
    await root.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'; SET ROLE {accounts.owner_of(schema).user}")
    await root.execute(schema_of(schema))
    # The lake needs a row's old values of every column, and a captured table has them only by this.
    bare = await _names(
        root,
        "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = $2::text::regnamespace"
        " AND relreplident <> 'f' AND relname !~ $1",
        f"^({NOT_CAPTURED})$",
        schema,
    )
    await _execute(root, (f"ALTER TABLE {table} REPLICA IDENTITY FULL" for table in sorted(bare)))


async def _publish(stack: Stack) -> None:
    """Have the publication, once, with those tables of the connector's file that are there.

    A table that comes later is added by `lakeproof capture register`, which looks for its reader first.
    """
    from lakeproof.lake.capture.connector import published_tables

    definition = provisioned.digest(PUBLICATION)
    if provisioned.is_made(stack, NAME, "publication", definition):
        return
    async with connection(stack, ROOT_USER, ROOT_SECRET, 30.0, accounts.DATABASE) as root:
        if PUBLICATION not in await _names(root, "SELECT pubname FROM pg_publication"):
            wanted = published_tables(accounts.DATABASE)
            there = await _names(
                root, "SELECT name FROM unnest($1::text[]) name WHERE to_regclass(name) IS NOT NULL", wanted
            )
            listed = ", ".join(table for table in wanted if table in there)
            await root.execute(
                f"CREATE PUBLICATION {PUBLICATION} FOR TABLE {listed} WITH (publish = 'insert, update, delete')"
            )
    provisioned.remember(stack, NAME, "publication", definition)


async def _names(root: "asyncpg.Connection[asyncpg.Record]", sql: str, *args: object) -> frozenset[str]:
    return frozenset(row[0] for row in await root.fetch(sql, *args))


async def _execute(root: "asyncpg.Connection[asyncpg.Record]", statements: Iterable[str]) -> None:
    for statement in statements:
        await root.execute(statement)


COMPONENTS = (
    Component(
        name=NAME,
        kind="engine",
        command=command,
        ready=ready,
        ports={"tcp": 5432},
        prepare=prepare,
        provision=provision,
        start_seconds=60.0,
        stop_signal="SIGINT",  # fast: what is under way is rolled back; SIGTERM would wait for every client
        stop_seconds=20.0,
        in_plain_up=False,
        image="postgres:15",
        summary="the database of payment, fulfillment, support and notification",
        one_because="a second PostgreSQL would be a standby, and the services know one primary",
    ),
)
