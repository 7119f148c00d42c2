"""Columns that a step may touch: those that its proposal named, and none that came after it."""

from collections.abc import Iterable, Sequence

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.errors import TerminalError
from lakeproof.lake.capture.columns import Difference


class NamedColumns(Arguments):
    """`only`: TABLE.COLUMN,… that may be touched; left out: whichever are found. It is no part of the step's name in
    the timeline, so that a repair that was run is known again.
    """

    only: str | None = Field(None, exclude=True)


def named(arguments: NamedColumns, found: Sequence[Difference]) -> list[Difference]:
    """Those of the columns that may be touched. Raises: TerminalError where none of several may."""
    if arguments.only is None:
        return list(found)
    names = arguments.only.split(",")
    kept = [each for each in found if str(each) in names]
    if found and not kept:
        raise TerminalError(
            f"{', '.join(map(str, found))} was not named when this was proposed",
            where="only",
            next_action="propose again",
        )
    return kept


def left_out(found: Iterable[Difference], touched: Iterable[Difference]) -> str:
    """What is told of the columns that were not named; empty where all were."""
    left = sorted({str(each) for each in found} - {str(each) for each in touched})
    return f"; not touched, for it was not proposed: {', '.join(left)}" if left else ""


def hold(arguments: NamedColumns, found: Iterable[Difference]) -> dict[str, str]:
    """`only` as it was given, else the columns found."""
    return {"only": ",".join(map(str, found)) if arguments.only is None else arguments.only}
