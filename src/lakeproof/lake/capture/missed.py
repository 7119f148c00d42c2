"""Marks that rows are missing in the lake although the capture's settings are right again.

While a setting is wrong, the setting itself shows the trouble. Whoever corrects it writes the mark first, so that a
capture whose repair is cut off in between does not look healthy. The repair that brings the rows removes the mark.
In mode "external" the mark is known to the machine that wrote it, and to no other.
"""

from pathlib import Path
from typing import Literal

from lakeproof.lake.sources.source import Source
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

type Kind = Literal["log", "connector"]

# Rows were missed because of how the database wrote its log, or because of the connector's configuration.
BY_LOG: Kind = "log"
BY_CONNECTOR: Kind = "connector"
NOT_BROUGHT = "set right, and what was missed is not brought yet"


def note(stack: Stack, source: Source, kind: Kind) -> None:
    """From now on the lake is known to lack something of that source."""
    write_file(_mark(stack, source, kind), "")


def is_noted(stack: Stack, source: Source, kind: Kind) -> bool:
    """Whether the lake may lack what the capture missed in that way."""
    return _mark(stack, source, kind).exists()


def is_brought(stack: Stack, source: Source) -> None:
    """Take the marks away: every row of the lake was compared with the database, or read anew."""
    for kind in (BY_LOG, BY_CONNECTOR):
        _mark(stack, source, kind).unlink(missing_ok=True)


def _mark(stack: Stack, source: Source, kind: Kind) -> Path:
    # In no component's folder, for the reason that job/passing_over.py gives.
    return stack.data_dir(source.job) / f"missed-by-{kind}"
