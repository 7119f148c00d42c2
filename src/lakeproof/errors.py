"""Every error that Lakeproof raises on purpose.

    LakeproofError
    ├── InvalidInput        before anything started: a name, an argument, a file, a setting (exit 2)
    ├── CouldNotLook        a question had no answer: "unknown", never "fine" (exit 3)
    ├── TransientError      a retry helps: not ready yet, connection refused (exit 1)
    │   ├── NotReady        a component does not answer its readiness question yet
    │   └── DeadlineExpired a wait ended; carries what was last seen
    └── TerminalError       stop: a retry cannot help (exit 1)
        ├── PortTaken       carries the port and who holds it
        └── MissingArtifact something must be installed first

A message says what happened, where, and what to do next. `check` alone, whose exit 1 means that data is wrong, turns
every error but InvalidInput into exit 3.
"""

from typing import Any


class LakeproofError(Exception):
    """Base of the tree. `where` names the thing concerned, `next_action` what the reader can do."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", next_action: str = "") -> None:
        self.what = what
        self.where = where
        self.next_action = next_action
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """One line: what, where, next."""
        text = self.what
        if self.where:
            text = f"{self.where}: {text}"
        if self.next_action:
            text = f"{text}. Next: {self.next_action}"
        return text

    def __reduce__(self) -> tuple[Any, ...]:
        """Lets errors be pickled between processes. Subclasses need no code for it, whatever their __init__ takes."""
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[LakeproofError], args: tuple[Any, ...], values: dict[str, Any]) -> LakeproofError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(values)
    return error


class InvalidInput(LakeproofError):
    """Refused before anything started."""

    exit_code = 2


class CouldNotLook(LakeproofError):
    """A question had no answer; the outcome is unknown."""

    exit_code = 3


class TransientError(LakeproofError):
    """A retry helps."""


class NotReady(TransientError):
    """A component does not answer its readiness question yet."""


# Where only an error's text is left, these words tell an expired wait from other failures.
LAST_SEEN = "last seen: "


class DeadlineExpired(TransientError):
    """A wait ended without its condition; `last_seen` is the newest thing it saw."""

    def __init__(self, what: str, *, last_seen: str, where: str = "", next_action: str = "") -> None:
        self.last_seen = last_seen
        super().__init__(f"{what}; {LAST_SEEN}{last_seen}", where=where, next_action=next_action)


class TerminalError(LakeproofError):
    """Stop: a retry cannot help."""


class PortTaken(TerminalError):
    """A port that a component needs is held by somebody else."""

    def __init__(self, port: int, component: str, holder: str) -> None:
        self.port, self.component, self.holder = port, component, holder
        super().__init__(
            f"port {port} is taken by {holder}",
            where=component,
            next_action="stop that process, or set LAKEPROOF_PORT_SHIFT (shifts every port)",
        )


class MissingArtifact(TerminalError):
    """Something that set-up installs is not there."""

    def __init__(self, name: str, *, on_request: bool = False) -> None:
        self.artifact = name
        command = f"lakeproof setup --only {name}" if on_request else "lakeproof setup"
        super().__init__(f"{name} is not installed", where="set-up", next_action=f"run: {command}")
