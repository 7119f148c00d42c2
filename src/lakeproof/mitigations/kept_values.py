"""Where a repair keeps the values that it takes out of a table: a file of their own, which its owner alone may read.

What a repair answers names the file and no value: the answer stands in the incident's timeline, which anybody on the
machine may read.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from lakeproof.errors import TerminalError
from lakeproof.lake.sources.source import Source
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

# `table.column` → its different values, or the value of each row by its key.
type Values = Mapping[str, Sequence[str] | Mapping[int, str]]


def keep_values(stack: Stack, source: Source, values: Values) -> Path:
    """Write them; gives the file. Call it before the table is changed.

    Raises: TerminalError where that cannot be done: then they may not be taken out of the table.
    """
    now = datetime.now(UTC)
    path = stack.state_dir / "kept-values" / f"{source.name}-{now:%Y%m%d-%H%M%S-%f}.json"
    text = json.dumps({"at": now.isoformat(), "values": values}, ensure_ascii=False, indent=2)
    try:
        write_file(path, text + "\n", mode=0o600)
    except OSError as error:
        raise TerminalError(
            f"the values cannot be kept: {error.strerror}",
            where=str(path),
            next_action=f"{', '.join(values)}: nothing was changed; see to the folder and the disk, then repeat",
        ) from error
    return path
