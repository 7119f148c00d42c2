"""PostgreSQL 15 (Debian's; 17 on Debian 13), the database of payment, fulfillment, support and notification.

Every commit is on disk before it is acknowledged. The WAL is logical, since Debezium reads it, and a slot keeps a
bounded part of it. Traps: each version's programs lie in a folder of their own, and data can only be run by the
version that made them; postgres refuses to run as root, so its folder belongs to the user `postgres`, and every
folder above must let that user pass.
"""

import os
import pwd
import shutil
from pathlib import Path
from typing import Any

from lakeproof.errors import MissingArtifact, NotReady, TerminalError
from lakeproof.stack import provisioned
from lakeproof.stack.component import Command, Component, Hook
from lakeproof.stack.engines import first_start
from lakeproof.stack.engines.postgres_config import (
    NAME,
    PG_HBA,
    ROOT_SECRET,
    ROOT_USER,
    postgresql_conf,
    socket_folder,
)
from lakeproof.stack.os_user import hand_over, let_pass
from lakeproof.stack.own_folder import make_socket_folder
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

OS_USER = "postgres"
PACKAGE = "postgresql"
VERSIONS = Path("/usr/lib/postgresql")  # Debian's place: one folder for each version


def programs(database: Path) -> Path:
    """The folder of the programs that can run these data: of the version that made them; without data, the newest.

    Raises: MissingArtifact where no version is installed, TerminalError where only other versions are.
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

    initdb works in a folder beside the data's, which is renamed once it is whole: a start never meets half-made
    tables.
    Raises: TerminalError where a folder on the way does not let the server's user pass, or initdb fails.
    """
    data, etc = stack.data_dir(NAME), stack.etc_dir(NAME)
    database = data / "db"
    data.mkdir(parents=True, exist_ok=True)
    hand_over(data, OS_USER, PACKAGE, 0o700)
    make_socket_folder(socket_folder(stack), OS_USER, PACKAGE)
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
    user: dict[str, Any] = {}
    if os.geteuid() == 0:
        entry = pwd.getpwnam(OS_USER)
        user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": ()}
    password = fresh.with_name("initdb.password")
    write_file(password, f"{stack.secret(ROOT_SECRET)}\n", mode=0o600)
    try:
        hand_over(password, OS_USER, PACKAGE, 0o600)
        first_start.run(
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
            ],
            **user,
        )
    finally:
        password.unlink(missing_ok=True)
    provisioned.forget(stack, NAME)
    fresh.rename(database)


def ready(stack: Stack, timeout: float) -> None:
    """It answers SELECT 1. A refused password is an answer too, and provision says whose fault that is."""
    from psycopg.errors import InvalidPassword

    from lakeproof.stack.postgres_session import TROUBLES, select

    try:
        select(stack, ROOT_USER, ROOT_SECRET, "SELECT 1", seconds=timeout)
    except InvalidPassword:
        return
    except TROUBLES as error:
        raise NotReady(f"no answer: {type(error).__name__} {error}".rstrip(), where=NAME) from error


COMPONENTS = (
    Component(
        name=NAME,
        kind="engine",
        command=command,
        ready=ready,
        prepare=prepare,
        hooks=(Hook.PROVISION,),
        start_seconds=60.0,
        stop_signal="SIGINT",  # "fast" shutdown: transactions are rolled back; SIGTERM would wait for every client
        stop_seconds=20.0,
        in_plain_up=False,
        image="postgres:15.13",
        summary="the database of payment, fulfillment, support and notification",
        one_because="a second PostgreSQL would be a standby, and the services know one primary",
    ),
)
