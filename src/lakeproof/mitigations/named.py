"""What a step may touch: the columns, user, session … that its proposal named, and none that came after it."""

from collections.abc import Callable, Iterable, Sequence

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.errors import TerminalError

# At most this many names are listed in an answer, because a line of an incident's timeline is limited in length.
SHOWN = 20


class Named(Arguments):
    """`only`: the names that the step may touch; without it, the step may touch all that it finds.

    `named` takes several names, joined by commas. `named_one` takes one, and compares it as a whole, so a name may
    hold a comma. The timeline leaves `only` out of the step's name: two runs of one repair are the same repair there.
    """

    only: str | None = Field(None, exclude=True)


def named[T](arguments: Named, found: Sequence[T], *, or_none: bool = False) -> list[T]:
    """The found items that may be touched. Raises: TerminalError where none of them may, unless `or_none`."""
    if arguments.only is None:
        return list(found)
    names = set(arguments.only.split(","))
    kept = [each for each in found if str(each) in names]
    return kept if or_none else _required(kept, found)


def named_one[T](arguments: Named, found: Sequence[T]) -> T | None:
    """The first of the found that may be touched; None where nothing was found.

    `only` is compared as a whole: the user "etl,anna" is another one than anna. Raises: TerminalError where none of
    the found may be touched.
    """
    kept = _required([each for each in found if arguments.only in (None, str(each))], found)
    return kept[0] if kept else None


def _required[T](kept: list[T], found: Sequence[T]) -> list[T]:
    if found and not kept:
        raise TerminalError(
            f"{listed(found)} was not named when this was proposed",
            where="only",
            next_action="propose again",
        )
    return kept


def listed(names: Iterable[object]) -> str:
    """The names, joined by commas; of many only the first ones, and how many more there are."""
    told = [str(each) for each in names]
    return ", ".join(told if len(told) <= SHOWN else [*told[:SHOWN], f"and {len(told) - SHOWN} more"])


def left_out(found: Iterable[object], touched: Iterable[object]) -> str:
    """The words for what was found and was not named; "" where all was."""
    left = sorted({str(each) for each in found} - {str(each) for each in touched})
    return f"; not touched, for it was not proposed: {listed(left)}" if left else ""


def hold(arguments: Named, found: Iterable[object]) -> dict[str, str]:
    """The argument `only`: as it was given, else the names of all that was found."""
    return {"only": ",".join(map(str, found)) if arguments.only is None else arguments.only}


def hold_to_found(arguments: Named, find: Callable[[], Iterable[object]]) -> dict[str, str]:
    """As `hold`, with what `find` gives; `only` is empty, which is nobody's name, where `find` finds nothing.

    Raises: CouldNotLook where `find` has no answer: a step that was held to nobody would only be refused later.
    """
    try:
        return hold(arguments, find() if arguments.only is None else ())
    except TerminalError:
        return hold(arguments, ())
