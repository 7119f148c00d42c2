"""Where a stack lies: its name and its state folder, which suffice to find its supervisor.

They are read without pydantic, which checks the settings: `lakeproof ps` would take twice as long with it.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

CONFIG_FILE = "lakeproof.toml"
NAME_PATTERN = r"^[a-z][a-z0-9-]{0,30}$"
# Variables that begin like a setting and are none: other parts of Lakeproof read them.
NOT_SETTINGS = frozenset(
    {
        "LAKEPROOF_KEEP_TEST_STATE",
        "LAKEPROOF_CONFIG",
        "LAKEPROOF_CACHE",
        "LAKEPROOF_YES",
        "LAKEPROOF_RUN_ID",
        "LAKEPROOF_USER",
        "LAKEPROOF_DRILL",
    }
)


class Located(Protocol):
    """What has a name and a state folder: a Place, or a whole Stack."""

    @property
    def name(self) -> str:
        """The stack's name."""

    @property
    def state_dir(self) -> Path:
        """Data, config, logs, ledgers and reports of this stack, absolute."""


@dataclass(frozen=True)
class Place:
    """A stack's name and state folder."""

    name: str
    state_dir: Path


def state_dir_of(name: str, given: Path | None) -> Path:
    """A stack's state folder: the given one, else the usual one of that name. Absolute."""
    if given is not None:
        return given.absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/lakeproof") / name
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local/state")
    return Path(base).absolute() / "lakeproof" / name


def find_place() -> Place | None:
    """Where the stack lies; None where the caller has to read and check all settings (`load_stack`).

    That is so where more than name, state folder and port shift is set, or where one of these may be wrong.
    """
    given = {name: text for name, text in os.environ.items() if name.startswith("LAKEPROOF_")}
    given = {name: text for name, text in given.items() if name not in NOT_SETTINGS}
    if given.get("LAKEPROOF_PORT_SHIFT", "").isdigit():
        del given["LAKEPROOF_PORT_SHIFT"]
    name, folder = given.pop("LAKEPROOF_NAME", "default"), given.pop("LAKEPROOF_STATE_DIR", None)
    has_file = "LAKEPROOF_CONFIG" in os.environ or Path(CONFIG_FILE).exists()
    if given or has_file or folder == "" or not re.match(NAME_PATTERN, name):
        return None
    return Place(name, state_dir_of(name, Path(folder) if folder is not None else None))
