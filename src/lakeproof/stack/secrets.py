"""Passwords and keys of one stack: made once, kept in one file of mode 600, never printed by accident."""

import json
import os
import secrets as random_secrets
from pathlib import Path

from lakeproof.errors import TerminalError
from lakeproof.held_file import hold
from lakeproof.written import write_file

LOCK_SECONDS = 30.0  # writing takes milliseconds, so a process that holds the lock for this long hangs
NAMES = (
    "mysql-root",
    "mysql-order-service",
    "mysql-cdc",
    "mysql-ticker",
    "mysql-exporter",
    "mysql-reader",
    "mysql-report",
    "postgres-root",
    "postgres-payment-service",
    "postgres-fulfillment-service",
    "postgres-support-service",
    "postgres-notification-service",
    "postgres-cdc",
    "postgres-exporter",
    "postgres-reader",
    "postgres-ticker",
    "postgres-report",
    "redis",
    "s3-access-key",
    "s3-secret-key",
    "desk-token",
    "spark-token",
    "trino-internal",
    "victorialogs",
    "cassandra-root",
    "cassandra-jmx",
    "cassandra-inventory-service",
    "cassandra-projector",
    "cassandra-support-service",
    "cassandra-reader",
)


def load_or_make(path: Path) -> dict[str, str]:
    """The stack's secrets, name → value; missing names are added, existing ones never change.

    An atomic rename writes them, so a crash leaves the old file or the new one. They are written under a lock,
    because many threads and processes of one stack ask for the first secret at the same moment.
    Raises: TerminalError where the file is not valid JSON (it is not replaced: the databases know its values);
    HeldByAnother.
    """
    found = _read(path)
    if all(name in found for name in NAMES):
        return found
    path.parent.mkdir(parents=True, exist_ok=True)
    with hold(path.with_suffix(".lock"), f"process {os.getpid()}", LOCK_SECONDS, every=0.02):
        found = _read(path)
        missing = [name for name in NAMES if name not in found]
        if missing:
            found |= {name: random_secrets.token_hex(16) for name in missing}
            write_file(path, json.dumps(found, indent=1), mode=0o600, durable=True)
    return found


def _read(path: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise TerminalError(
            "not valid JSON", where=str(path), next_action="restore it, or remove the whole stack's state"
        ) from error
    return found
