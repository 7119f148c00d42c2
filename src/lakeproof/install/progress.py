"""What set-up tells while it works; a terminal or a log shows it (cli/setup.py)."""

from typing import Protocol


class Progress(Protocol):
    """Hears how artifacts come along; called from several threads."""

    def report(self, name: str, text: str) -> None:
        """An event worth a line of its own: a step began, a broken entry is fetched again, it is done."""

    def amount(self, name: str, done: int, total: int, unit: str) -> None:
        """How far the current step is: bytes (unit "MB"; numbers in bytes), or a count of something."""
