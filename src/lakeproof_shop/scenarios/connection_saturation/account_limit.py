"""The limit of an account that a fault takes away for its time, and puts back."""

from pathlib import Path

from lakeproof.stack.database_sessions import UNLIMITED, Server, limit, limit_of
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

SECONDS = 5.0


def lift(stack: Stack, server: Server, account: str, fault: str) -> None:
    """Take the account's limit away, and note it for `put_back`. Safe to repeat. Raises: CouldNotLook."""
    note = _note(stack, server, account, fault)
    if not note.exists():
        write_file(note, str(limit_of(stack, server, account, SECONDS)))
    limit(stack, server, account, UNLIMITED, SECONDS)


def put_back(stack: Stack, server: Server, account: str, fault: str) -> None:
    """Give the account its old limit back, whatever a repair set; do nothing where `lift` noted none.

    Raises: CouldNotLook where the database does not answer.
    """
    note = _note(stack, server, account, fault)
    if note.exists():
        limit(stack, server, account, int(note.read_text(encoding="utf-8")), SECONDS)
        note.unlink()


def _note(stack: Stack, server: Server, account: str, fault: str) -> Path:
    return stack.data_dir("session-limits") / f"before-{fault}-{server}-{account}"
