"""Makes a stack empty again: deletes its state folder, and outside of it only the folders of its sockets.

Everything is first moved into the folder `deleting`, which is quick. A reset that is killed half-way leaves that
folder behind: `up` refuses to start beside it, and the next reset finishes the work.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from lakeproof.errors import InvalidInput, TerminalError
from lakeproof.processes import lock
from lakeproof.processes.client import DELETING, TURN_SECONDS, SupervisorClient
from lakeproof.processes.runtime import Runtime
from lakeproof.processes.supervisor import OnEvent
from lakeproof.stack.engines import mysql, postgres_config, store_disk
from lakeproof.stack.stack import Stack

# Names by which a folder is known as a stack's: from the first `up` on it has at least one of them.
MARKS = frozenset({"start.lock", "drill.lock", "secrets.json", DELETING})
# Patterns of the names that Lakeproof puts into a state folder. A test compares them with the places in the code.
OURS = MARKS | {
    *("data", "etc", "log", "ledger", "reports", "faults", "hunts", "jobs", "kept-values"),
    *("dropped-columns", "secrets.partial"),  # older names of kept-values and of a half-written secrets.json
    *("secrets.lock", "submission.lock", "ring.lock", ".write-probe-*"),
    *("dropped_column.json", "rename_column_back-*.json"),
}
# The suffix of a file that a killed writer left half-written (written.py).
HALF_WRITTEN = ".*.partial"
# This file is deleted last. As long as it exists, the folder is known as a stack's, and nobody else starts there.
LAST = "start.lock"


@dataclass(frozen=True)
class Entry:
    """One file or folder that a reset deletes, and the space that it takes."""

    path: Path
    size_bytes: int


def entries(stack: Stack) -> tuple[Entry, ...]:
    """The entries that a reset would delete now; none where the stack was never started.

    Raises: InvalidInput where the stack is somebody else's, or the state folder is not one that Lakeproof made.
    """
    folder = stack.state_dir
    if stack.settings.mode == "external":
        raise InvalidInput(
            "its data are somebody else's",
            where=f"stack {stack.name} (mode external)",
            next_action="delete them where its servers run",
        )
    if folder.is_symlink():
        raise _refused(folder, "it is a symbolic link", f"set LAKEPROOF_STATE_DIR to {folder.resolve()} itself")
    home, here = Path.home().resolve(), Path.cwd().resolve()
    if folder.resolve() in {home, here, *home.parents, *here.parents}:
        raise _refused(
            folder, "a home or the folder you are in would go with it", "choose another LAKEPROOF_STATE_DIR"
        )
    other = lock.holder_of_the_same_data(Runtime(stack))
    if other is not None:
        raise _refused(
            folder,
            f"a supervisor runs on it (pid {other.pid}) under another name or path: {other.run_id}",
            f"lakeproof down with that name and LAKEPROOF_STATE_DIR={other.state_dir}, then reset again",
        )
    found: list[Path] = []
    if folder.exists():
        if not folder.is_dir() or folder.stat().st_uid != os.geteuid():
            raise _refused(folder, "it is no folder of this user's", "run it as the user that started the stack")
        found = sorted(folder.iterdir())
        foreign = [each.name for each in found if not _is_ours(each)]
        if foreign:
            raise _refused(folder, f"Lakeproof did not make {', '.join(foreign[:5])}", "move that away first")
        if found and not any(each.name in MARKS for each in found):
            raise _refused(folder, "no stack was ever started there", "delete it by hand if you mean it")
    return tuple(
        Entry(path, _size(path)) for path in (*found, *(each for each in sockets_outside(stack) if each.is_dir()))
    )


def kept(stack: Stack) -> tuple[str, ...]:
    """What belongs to the stack and is not deleted, because a setting puts it outside of the state folder.

    Each as "SETTING = PLACE", without passwords.
    """
    settings, inside = stack.settings, f"{stack.state_dir.resolve()}/"
    attachments = settings.support.support_attachment_dir
    places = {
        "support.support_attachment_dir": str(attachments.resolve()) if attachments else "",
        "desk_url": re.sub(r"://[^@/]*@", "://…@", settings.desk_url),
    }
    return tuple(f"{name} = {place}" for name, place in places.items() if place and inside not in f"{place}/")


def reset(stack: Stack, client: SupervisorClient, on_event: OnEvent) -> None:
    """Stop the stack and delete all of its `entries`. Safe to repeat, also after a kill half-way.

    Raises: InvalidInput as `entries`, and where somebody started the stack again meanwhile; TerminalError where
    something cannot be deleted.
    """
    entries(stack)
    client.down(on_event)
    store_disk.unmount(stack)
    with lock.starting(stack, TURN_SECONDS, "reset"):
        if client.running():
            raise InvalidInput(
                "it was started again", where=f"stack {stack.name}", next_action="lakeproof reset again"
            )
        doomed = stack.state_dir / DELETING
        try:
            doomed.mkdir(exist_ok=True)
            for entry in entries(stack):
                if entry.path.name not in (DELETING, LAST) and entry.path.parent == stack.state_dir:
                    # Each entry gets a new folder: a killed reset may have left another entry of the same name.
                    entry.path.rename(Path(tempfile.mkdtemp(dir=doomed)) / entry.path.name)
            for folder in sockets_outside(stack):
                shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(doomed)
            (stack.state_dir / LAST).unlink(missing_ok=True)
            # A folder on which a file system is mounted cannot be removed; it stays, and is empty.
            if not stack.state_dir.is_mount():
                stack.state_dir.rmdir()
        except OSError as error:
            raise TerminalError(
                f"not deleted: {error.strerror}",
                where=str(error.filename or stack.state_dir),
                next_action="mend that, then: lakeproof reset",
            ) from error


def _is_ours(path: Path) -> bool:
    patterns = (*OURS, *(name + HALF_WRITTEN for name in OURS))
    return not path.is_symlink() and any(fnmatchcase(path.name, pattern) for pattern in patterns)


def sockets_outside(stack: Stack) -> Iterator[Path]:
    """The folders outside of the state folder that hold sockets, because a path inside would be too long."""
    for folder in (mysql.socket_path(stack).parent, postgres_config.socket_folder(stack)):
        if not folder.is_relative_to(stack.state_dir) and not folder.is_symlink():
            yield folder


def _size(path: Path) -> int:
    """Bytes on the disk, links not followed; files that vanish meanwhile count as 0."""
    total = 0
    todo = [path]
    while todo:
        each = todo.pop()
        try:
            total += each.lstat().st_blocks * 512
            if each.is_dir() and not each.is_symlink():
                todo.extend(each.iterdir())
        except OSError:
            continue
    return total


def _refused(folder: Path, why: str, next_action: str) -> InvalidInput:
    return InvalidInput(f"nothing is deleted: {why}", where=str(folder), next_action=next_action)


def total_bytes(found: Sequence[Entry]) -> int:
    """The space that all these entries take."""
    return sum(entry.size_bytes for entry in found)
