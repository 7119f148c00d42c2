"""Whether a folder below /tmp, or another folder where everybody may make some, is really ours.

The folder's name can be guessed. Another user who makes the folder first could put a socket or a lock into it, or
make it a link that leads us, perhaps as root, to some other folder.
"""

import hashlib
import os
import pwd
import stat
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lakeproof.errors import TerminalError
from lakeproof.stack.os_user import hand_over

if TYPE_CHECKING:
    from lakeproof.stack.stack import Stack

# Not $TMPDIR: the server and every command must mean the same folder, whatever their shells say.
COMMON = Path("/tmp")
OTHERS_WRITE = 0o022
MAX_SOCKET_PATH = 100  # the kernel takes 107 bytes


def refuse_foreign(folder: Path, *, owners: Collection[int], closed: int, next_action: str) -> None:
    """Return where `folder` does not exist, or is a real folder of one of `owners` (user ids) and closed to others.

    `closed`: the permission bits that it must not have. Raises: TerminalError saying what is wrong.
    """
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode):
        what = "it is a symbolic link" if stat.S_ISLNK(found.st_mode) else "it is no folder"
    elif found.st_uid not in owners:
        what = f"it belongs to another user, {_name_of(found.st_uid)}"
    elif found.st_mode & closed:
        what = f"it is open to others (mode {stat.S_IMODE(found.st_mode):04o})"
    else:
        return
    raise TerminalError(
        f"{what}: not used, for somebody else may have made it",
        where=str(folder),
        next_action=f"look at it (ls -ld {folder}) and remove it, or {next_action}",
    )


def socket_folder(stack: "Stack", component: str, socket: str) -> Path:
    """Where a server's socket of that name lies: beside its data, or under /tmp where the path would be too long."""
    beside = stack.data_dir(component) / "run"
    if len(os.fsencode(beside / socket)) <= MAX_SOCKET_PATH:
        return beside
    short = hashlib.sha256(os.fsencode(stack.state_dir)).hexdigest()[:12]
    return COMMON / f"lakeproof-{component}-{short}"


def make_socket_folder(folder: Path, user: str, package: str) -> None:
    """Make the folder of a server's socket, which all may enter, for the OS user that the server runs as.

    Raises: TerminalError where a folder of that name is there and not ours, MissingArtifact naming `package`, which
    brings that user.
    """
    owners = {os.geteuid()}
    if os.geteuid() == 0:
        with suppress(KeyError):  # `hand_over` says which package brings the user
            owners.add(pwd.getpwnam(user).pw_uid)
    for _ in range(2):  # checked again after mkdir: somebody else may have made it first
        refuse_foreign(folder, owners=owners, closed=OTHERS_WRITE, next_action="set a shorter LAKEPROOF_STATE_DIR")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    hand_over(folder, user, package, 0o755)


def _name_of(user_id: int) -> str:
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return f"uid {user_id}"
