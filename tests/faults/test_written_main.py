"""An older table on `main`: written once, also by a Nessie that takes its time."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from lakeproof.errors import TerminalError
from lakeproof.lake.nessie import NessieConflict
from lakeproof.lake.nessie_commit import OURS
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.lake_commit_failure import faults
from lakeproof_shop.scenarios.lake_commit_failure.faults import AUTHOR


class Nessie:
    """`author`: of the newest commit. `seconds`: what a commit takes on the made-up clock `now`."""

    def __init__(self, seconds: float) -> None:
        self.author, self.seconds, self.now = OURS, seconds, 0.0
        self.refuses = False

    def reference(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(hash="f" * 64)

    def commit_tables(self, *_: object) -> None:
        self.now += self.seconds
        if self.refuses:
            raise NessieConflict("moved")
        self.author = AUTHOR


@pytest.fixture
def nessie(monkeypatch: pytest.MonkeyPatch) -> Nessie:
    made = Nessie(faults.SECONDS + 1)
    monkeypatch.setattr(faults, "client_of", lambda stack: made)
    monkeypatch.setattr(faults, "closing", nullcontext)
    monkeypatch.setattr(faults, "author_on_main", lambda nessie: made.author)
    monkeypatch.setattr(faults, "_older", lambda *_: "older")
    monkeypatch.setattr("lakeproof.deadline.time.monotonic", lambda: made.now)
    return made


def test_what_a_slow_nessie_has_written_is_not_told_as_a_failure(nessie: Nessie, stack: Stack) -> None:
    faults.WrittenMain().inject(stack)
    assert nessie.author == AUTHOR


def test_a_publisher_that_is_faster_each_time_ends_it(nessie: Nessie, stack: Stack) -> None:
    nessie.refuses = True
    with pytest.raises(TerminalError, match="faster each time"):
        faults.WrittenMain().inject(stack)
