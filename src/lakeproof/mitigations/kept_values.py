"""Where a repair keeps what it takes out of a database: a file of its own, which its owner alone may read.

The answer of a repair names the file and none of the values: it stands in the incident's timeline, which anybody on
the machine may read.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from lakeproof.errors import CouldNotLook, TerminalError
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

# `table.column` → its different values, or the value of each row by its key; a trigger's name → its definitions.
type Values = Mapping[str, Sequence[str] | Mapping[int, str]]


def keep_values(stack: Stack, database: str, values: Values, *, kind: str = "values") -> Path:
    """Write the values into a file, and give its path; its name begins with the database's. Call this before the
    database is changed.

    kind: what the values are, in one word.
    Raises: TerminalError where the file cannot be written: then nothing may be taken out of the database.
    """
    now = datetime.now(UTC)
    path = stack.state_dir / "kept-values" / f"{database}-{now:%Y%m%d-%H%M%S-%f}.json"
    text = json.dumps({"at": now.isoformat(), kind: values}, ensure_ascii=False, indent=2)
    try:
        write_file(path, text + "\n", mode=0o600)
    except OSError as error:
        raise TerminalError(
            f"the {kind} cannot be kept: {error.strerror}",
            where=str(path),
            next_action=f"{', '.join(values)}: nothing was changed; see to the folder and the disk, then repeat",
        ) from error
    return path


def kept_since(stack: Stack, database: str, since: datetime) -> dict[str, set[str]]:
    """What was kept of that database's columns since then: `table.column` → its different values.

    Raises: CouldNotLook where a file of that time cannot be read.
    """
    found: dict[str, set[str]] = {}
    for path in sorted((stack.state_dir / "kept-values").glob(f"{database}-*.json")):
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            if datetime.fromisoformat(kept["at"]) < since:
                continue
            for name, values in kept.get("values", {}).items():
                found.setdefault(name, set()).update(values.values() if isinstance(values, dict) else values)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CouldNotLook(f"no kept values: {type(error).__name__}", where=str(path)) from error
    return found
