"""Where a running stack keeps its socket and its lock: a short path, one folder per stack and state directory.

The path is short because a unix socket's path must stay below 108 bytes (unix(7)), wherever the state directory lies.
"""

import hashlib
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from lakeproof.errors import TerminalError
from lakeproof.stack.own_folder import COMMON, refuse_foreign
from lakeproof.stack.place import Located

SOCKET_PATH_MAX = 100


def _base() -> Path:
    """/run/lakeproof as root; else the user's runtime folder; else a folder of the user's own under /tmp.

    Raises: TerminalError where the one under /tmp is not the user's own: another user's socket and lock are in it.
    """
    if os.geteuid() == 0 and os.access("/run", os.W_OK):
        return Path("/run/lakeproof")
    given = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    if os.access(given, os.W_OK) and len(given) < SOCKET_PATH_MAX - 60:
        return Path(given) / "lakeproof"
    base = COMMON / f"lakeproof-{os.geteuid()}"
    refuse_foreign(
        base, owners={os.geteuid()}, closed=0o077, next_action="set XDG_RUNTIME_DIR to a folder of your own"
    )
    return base


@dataclass(frozen=True)
class Runtime:
    """The folder of one stack's socket and lock."""

    stack: Located

    @property
    def key(self) -> str:
        """NAME-HASH: the same name with another state directory is another stack."""
        digest = hashlib.sha256(str(self.stack.state_dir).encode()).hexdigest()[:8]
        return f"{self.stack.name}-{digest}"

    @property
    def folder(self) -> Path:
        """The folder itself. Raises: TerminalError where it would lie in a folder that somebody else made."""
        return _base() / self.key

    @property
    def socket(self) -> Path:
        """What clients talk to."""
        return self.folder / "socket"

    @property
    def lock(self) -> Path:
        """Held (flock) by the one daemon."""
        return self.folder / "lock"

    def new_run_id(self) -> str:
        """KEY-RANDOM: carried by every process of one daemon's life."""
        return f"{self.key}-{secrets.token_hex(4)}"

    def owns(self, run_id: str) -> bool:
        """True for a run id of this stack, of whichever daemon's life."""
        head, _, tail = run_id.rpartition("-")
        return head == self.key and bool(tail)

    def make(self) -> None:
        """Make the folder, for its owner only. Raises: TerminalError when it cannot be made."""
        try:
            self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.mkdir(mode=0o700, exist_ok=True)  # `folder` looks at the parent again
        except OSError as error:
            raise TerminalError(
                f"cannot make it: {error.strerror}", where=str(self.folder), next_action="look at its permissions"
            ) from error

    def remove(self) -> None:
        """Leave nothing: the folder, and its parent where it is empty."""
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self.folder.parent.rmdir()
        except OSError:
            return  # another stack's folder is in it
