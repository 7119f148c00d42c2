"""Who sits at this terminal, as the desk's timeline names them."""

import getpass
import os

LONGEST = 128


def person() -> str:
    """`LAKEPROOF_USER`, else the login name, else the user's number."""
    try:
        name = os.environ.get("LAKEPROOF_USER", "").strip() or getpass.getuser()
    except (OSError, KeyError):  # a number without a name, as in many containers
        name = f"uid {os.getuid()}"
    return name[:LONGEST]
