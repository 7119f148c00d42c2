"""The last lines of a component's log."""

from pathlib import Path

TAIL_BYTES = 24_000
TAIL_LINES = 60


def tail(path: Path) -> list[str]:
    """The last lines of a log, oldest first; empty where there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    lines = text.splitlines()
    return (lines[1:] if size > TAIL_BYTES else lines)[-TAIL_LINES:]
