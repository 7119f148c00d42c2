"""A name that does not exist, refused in one way everywhere: the closest known one, and all that are known."""

import difflib
from collections.abc import Iterable

from lakeproof.errors import InvalidInput


def unknown_name(kind: str, name: str, known: Iterable[str], *, where: str = "") -> InvalidInput:
    """The error to raise for `name`, which is no `kind`: "no component 'kafak', closest: 'kafka'"."""
    names = list(known)
    spelt = {each.lower().replace("-", "_"): each for each in names}
    typed = name.lower().replace("-", "_")
    begun = [key for key in spelt if typed and key.startswith(typed)]
    close = begun or difflib.get_close_matches(typed, spelt, n=1)
    guess = f", closest: {spelt[close[0]]!r}" if close else ""
    return InvalidInput(f"no {kind} {name!r}{guess}", where=where, next_action=f"one of {', '.join(names)}")
