"""The name of the person at this terminal, for the desk's timeline; and the names that no person may have there."""

import getpass
import os
import unicodedata

from lakeproof.errors import InvalidInput

LONGEST = 128

# The names under which the desk itself writes into timelines and checklists. They tell a machine's answer to an item
# of a checklist from a person's.
ALERTMANAGER = "alertmanager"
DESK = "desk"


def refuse_machine(name: str) -> str:
    """The name, unless it reads like one of the desk's own. Raises: InvalidInput."""
    seen = (each for each in unicodedata.normalize("NFKC", name) if not unicodedata.category(each).startswith("C"))
    if "".join(seen).strip().casefold() in (ALERTMANAGER, DESK):
        raise InvalidInput(
            f"{name!r} is the machine's own name", where="who", next_action="use your own, e.g. by LAKEPROOF_USER"
        )
    return name


def person() -> str:
    """`LAKEPROOF_USER`, else the login name, else the user's number."""
    try:
        name = os.environ.get("LAKEPROOF_USER", "").strip() or getpass.getuser()
    except (OSError, KeyError):  # a number without a name, as in many containers
        name = f"uid {os.getuid()}"
    return name[:LONGEST]
