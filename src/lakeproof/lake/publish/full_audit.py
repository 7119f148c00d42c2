"""The full audit beside the publisher: every table at a pinned hash, by Trino, each minute. A finding freezes `main`.

What is compared lies in lakeproof.proof.tables; here is only its clock and what becomes of its result. "Could not
look" (Trino is away) freezes nothing: it is no finding.
"""

import importlib
import logging
import threading
from collections.abc import Callable

from lakeproof.errors import LakeproofError
from lakeproof.stack.stack import Stack

log = logging.getLogger(__name__)

# A function `audit_published(stack) -> str | None`: a sentence where the newest published state is wrong in itself.
HOOK = ("lakeproof.proof.audit", "audit_published")


class FullAudit:
    """Runs the hook on a thread of its own; `finding` is the newest result, None while all is well or unknown."""

    def __init__(
        self,
        stack: Stack,
        hook: Callable[[Stack], str | None] | None = None,
        note: Callable[[str], None] = lambda outcome: None,
    ) -> None:
        """`note` is told the outcome of each audit: passed, failed or unknown."""
        self._stack = stack
        self._note = note
        self._hook = hook or _find_hook()
        self._stop = threading.Event()
        self.finding: str | None = None

    def start(self) -> None:
        """Begin; does nothing where there is no audit to run."""
        if self._hook is not None:
            threading.Thread(target=self._run, name="full audit", daemon=True).start()

    def stop(self) -> None:
        """End after the audit that is running."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(self._stack.settings.lake.audit_seconds):
            self.look()

    def look(self) -> None:
        """One audit, now."""
        if self._hook is None:
            return
        try:
            self.finding = self._hook(self._stack)
        except LakeproofError as error:
            log.warning("the full audit could not look: %s", error.message)
            self._note("unknown")
        else:
            self._note("passed" if self.finding is None else "failed")


def _find_hook() -> Callable[[Stack], str | None] | None:
    try:
        module = importlib.import_module(HOOK[0])
    except ModuleNotFoundError:
        return None
    hook: Callable[[Stack], str | None] | None = getattr(module, HOOK[1], None)
    return hook
