"""The full audit beside the publisher: each minute, every hash published since, by Trino. A finding freezes `main`.

What is compared lies in lakeproof.proof; here is only its clock and what becomes of its result. "Could not
look" (Trino is away) freezes nothing: it is no finding. Hashes that were not looked at never count as passed.
"""

import importlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from lakeproof.errors import LakeproofError
from lakeproof.stack.stack import Stack

log = logging.getLogger(__name__)

# A function `audit_published(stack, after) -> Audited` of the hashes published after that one; None: of the newest.
HOOK = ("lakeproof.proof.audit", "audit_published")


@dataclass(frozen=True)
class Audited:
    """What one audit saw. `finding`: a sentence where a hash is wrong in itself, else None. `not_looked`: hashes that
    it did not come to. `through`: the last hash it is done with; the next audit begins after it.
    """

    finding: str | None
    judged: int
    not_looked: int
    through: str


type Hook = Callable[[Stack, str | None], Audited]


class FullAudit:
    """Runs the hook on a thread of its own; `finding` is the newest result, None while all is well or unknown."""

    def __init__(
        self,
        stack: Stack,
        hook: Hook | None = None,
        note: Callable[[str], None] = lambda outcome: None,
    ) -> None:
        """`note` is told the outcome of each audit: passed, failed or unknown."""
        self._stack = stack
        self._note = note
        self._hook = hook or _find_hook()
        self._stop = threading.Event()
        self._through: str | None = None
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
            audited = self._hook(self._stack, self._through)
        except LakeproofError as error:
            log.warning("the full audit could not look: %s", error.message)
            self._note("unknown")
            return
        self._through = audited.through
        if audited.not_looked:
            told = (audited.not_looked, audited.judged)
            log.warning("the full audit did not come to %d of the published hashes; it judged %d", *told)
        if audited.finding is None and audited.not_looked:
            self._note("unknown")
            return
        self.finding = audited.finding
        self._note("passed" if audited.finding is None else "failed")


def _find_hook() -> Hook | None:
    try:
        module = importlib.import_module(HOOK[0])
    except ModuleNotFoundError:
        return None
    hook: Hook | None = getattr(module, HOOK[1], None)
    return hook
