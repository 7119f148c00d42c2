"""The folder of a running stack's socket and lock: one folder per stack and state directory, with a short path.

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

    Raises: TerminalError where the folder under /tmp is not the user's own: another user's socket and lock may
    be in it.
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
        """NAME-HASH. The hash is of the state directory: the same name with another directory is another stack."""
        digest = hashlib.sha256(str(self.stack.state_dir).encode()).hexdigest()[:8]
        return f"{self.stack.name}-{digest}"

    @property
    def folder(self) -> Path:
        """The folder itself. Raises: TerminalError where it would lie in a folder that somebody else made."""
        return _base() / self.key

    @property
    def socket(self) -> Path:
        """The socket to which clients connect."""
        return self.folder / "socket"

    @property
    def lock(self) -> Path:
        """The lock file, which the one daemon holds (flock)."""
        return self.folder / "lock"

    def new_run_id(self) -> str:
        """KEY-RANDOM. Every process of one daemon's life carries it in its environment."""
        return f"{self.key}-{secrets.token_hex(4)}"

    def owns(self, run_id: str) -> bool:
        """True for every run id of this stack, also those of earlier daemons."""
        head, _, tail = run_id.rpartition("-")
        return head == self.key and bool(tail)

    def make(self) -> None:
        """Make the folder, for its owner only. Raises: TerminalError when it cannot be made."""
        try:
            self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.mkdir(mode=0o700, exist_ok=True)  # reading `folder` checks the parent's owner again
        except OSError as error:
            raise TerminalError(
                f"cannot make it: {error.strerror}", where=str(self.folder), next_action="look at its permissions"
            ) from error

    def remove(self) -> None:
        """Remove the folder, and its parent where that is empty."""
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self.folder.parent.rmdir()
        except OSError:
            return  # another stack's folder is in it
