"""The argument INCIDENT of several commands, checked before the desk is asked."""

import re
from typing import Annotated

import typer

from lakeproof.errors import InvalidInput

_NAME = re.compile(r"(INC-)?\d{1,9}", re.IGNORECASE)


def check_name(name: str) -> str:
    """The name itself. Raises: InvalidInput where no incident can have that name."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"no incident is called {name!r}",
            where="INCIDENT",
            next_action="its name is INC-000012, or 12; lakeproof incident list shows those there are",
        )
    return name


IncidentName = Annotated[
    str, typer.Argument(metavar="INCIDENT", help="INC-000012, or 12: see `incident list`", callback=check_name)
]
