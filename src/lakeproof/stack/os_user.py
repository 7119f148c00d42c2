"""Giving a server's files to the OS user that it runs as, where Lakeproof runs as root."""

import os
import pwd
import stat
from pathlib import Path

from lakeproof.errors import MissingArtifact, TerminalError


def hand_over(path: Path, user: str, package: str, mode: int) -> None:
    """Make `user` the owner of a file or folder, with this mode; without root only the mode is set.

    Raises: MissingArtifact naming `package`, which brings that user.
    """
    if os.geteuid() == 0:
        try:
            entry = pwd.getpwnam(user)
        except KeyError:
            raise MissingArtifact(f"{package} (the user {user})") from None
        os.chown(path, entry.pw_uid, entry.pw_gid)
    path.chmod(mode)


def let_pass(state_dir: Path, folder: Path, user: str) -> None:
    """Let the server's user reach `folder`: allow everybody to pass our folders from `state_dir` down to `folder`.

    The folders above `state_dir` are not ours to change. Raises: TerminalError naming one that `user` may not pass.
    """
    if os.geteuid() != 0:
        return
    steps = folder.relative_to(state_dir).parts
    for own in (state_dir, *(state_dir.joinpath(*steps[: count + 1]) for count in range(len(steps)))):
        own.chmod(stat.S_IMODE(own.stat().st_mode) | 0o011)
    for above in state_dir.resolve().parents:
        if not above.stat().st_mode & 0o001:
            raise TerminalError(
                f"the user {user} may not pass through it",
                where=str(above),
                next_action="set LAKEPROOF_STATE_DIR to a folder below /var/lib or /tmp",
            )
