"""Names for published states, as Nessie tags or branches."""

import re
from typing import Literal

from lakeproof.errors import InvalidInput
from lakeproof.lake.nessie import NessieConflict, Reference
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.publish.main_branch import BACKUP
from lakeproof.stack.stack import Stack

_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_-]{0,99}$")


def check_name(name: str) -> None:
    """Raises: InvalidInput for what can be no tag's name, or is a branch of the platform's own."""
    if not _NAME.match(name):
        raise InvalidInput(
            f"{name!r} is no tag name", next_action="use letters, digits, - and _; begin with a letter"
        )
    if name in (history.MAIN, history.INGEST, BACKUP):
        raise InvalidInput("it is a branch of the platform's own", where=name, next_action="choose another name")


def create_reference(
    stack: Stack, name: str, hash_or_prefix: str | None = None, kind: Literal["TAG", "BRANCH"] = "TAG"
) -> PublishedCommit:
    """Name a published state (default: the newest one); the same name for the same state again is fine.

    Raises: InvalidInput for a name that is malformed or taken; NoSuchHash, HashExpired, CouldNotLook.
    """
    check_name(name)
    commit = (
        history.find(stack, hash_or_prefix, readable=True) if hash_or_prefix is not None else history.newest(stack)
    )
    with history.Looking(stack) as nessie:
        try:
            nessie.create_reference(kind, name, Reference("BRANCH", history.MAIN, commit.hash))
        except NessieConflict as error:
            held = nessie.reference(name)
            if (held.hash, held.kind) != (commit.hash, kind):
                raise InvalidInput(
                    f"the name is taken ({held.kind.lower()} at {held.hash[:16]})",
                    where=name,
                    next_action="choose another name",
                ) from error
    return commit
