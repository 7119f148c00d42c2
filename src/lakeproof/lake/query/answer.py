"""What an engine answered: columns with types, rows as JSON values, and at which published hash."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lakeproof.errors import CouldNotLook, TerminalError
from lakeproof.lake.publish.commit import PublishedCommit

type Row = Sequence[Any]


class StatementFailed(TerminalError):
    """The engine looked at the statement and refused it, or failed while running it: its own words, one line."""


class EngineUnreachable(CouldNotLook):
    """The engine gave no answer in time."""


class NotBegun(EngineUnreachable):
    """The engine has not begun the statement, and will not."""


@dataclass(frozen=True)
class Column:
    """One column of an answer; `type` in the engine's own words."""

    name: str
    type: str


@dataclass(frozen=True)
class Answer:
    """Rows of one statement. Decimals and times are text, as the engine writes them, so that nothing is rounded."""

    engine: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    seconds: float

    def as_json(self, commit: PublishedCommit) -> dict[str, object]:
        """The shape of `query --json`."""
        return {
            "engine": self.engine,
            "nessie_hash": commit.hash,
            "at": commit.at.isoformat(),
            "checkpoint": commit.plain.checkpoint,
            "columns": [{"name": column.name, "type": column.type} for column in self.columns],
            "rows": [list(row) for row in self.rows],
            "seconds": round(self.seconds, 3),
        }


def one_line(text: str, limit: int = 400) -> str:
    """An engine's message for one line of a terminal: its first lines joined, cut at `limit`."""
    joined = " ".join(text.split())
    return joined if len(joined) <= limit else joined[: limit - 1] + "…"
