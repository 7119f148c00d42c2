"""The desk's database: opened, brought to the newest schema, ready to use.

SQLite by default: write-ahead log, every commit synced (a webhook that was answered is not lost), writers wait for
each other. Changes of the schema run in one transaction, so a crash half-way leaves the old schema.
"""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, OperationalError

from lakeproof.errors import InvalidInput, TerminalError
from lakeproof.stack.stack import Stack

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_MILLISECONDS = 10_000


def database_url(stack: Stack) -> str:
    """The URL of the settings, else a SQLite file in the stack's state folder."""
    return stack.settings.desk_url or f"sqlite:///{stack.data_dir('desk') / 'desk.sqlite'}"


def open_database(url: str) -> Engine:
    """An engine on the newest schema.

    Raises: InvalidInput for a URL that cannot be used, TerminalError where the database is no desk's, is newer than
    this program, or cannot be opened.
    """
    try:
        engine = create_engine(url)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise InvalidInput(
            f"not usable: {error}", where="desk_url", next_action="write it as sqlite:///PATH"
        ) from error
    if engine.dialect.name == "sqlite":
        if engine.url.database:
            Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
        _tune_sqlite(engine)
    try:
        _migrate_or_say_why(engine)
    except BaseException:
        engine.dispose()  # else its connection, and with it a lock, stays until the garbage is collected
        raise
    return engine


def _migrate_or_say_why(engine: Engine) -> None:
    try:
        migrate(engine)
    except OperationalError as error:
        raise TerminalError(f"{error.orig}", where=url_for_people(engine), next_action="look at its disk") from error
    except DatabaseError as error:
        raise TerminalError(
            f"{error.orig}", where=url_for_people(engine), next_action="restore it, or move it away to start afresh"
        ) from error


def url_for_people(engine: Engine) -> str:
    """The database's URL without the password."""
    return engine.url.render_as_string(hide_password=True)


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest revision, in one transaction. Two desks that start at once wait for each other.

    Raises: TerminalError where the database has a revision that this program does not know.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            newest = ScriptDirectory.from_config(config).get_current_head()
            raise TerminalError(
                f"its schema is not one this program knows (newest here: {newest}): {error}",
                where=url_for_people(engine),
                next_action="run the newer Lakeproof",
            ) from error


def _tune_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions by itself; see on_begin
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        # A transaction that may write takes the lock at once: taking it later can fail without waiting.
        reads = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
