"""The course of a check."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.proof.tables.digest_readers import with_digests

from lakeproof.customers.calls import now_us
from lakeproof.proof import checking
from lakeproof.proof.tables.beside_ledger import BesideLedger
from lakeproof.proof.tables.readers import Reader
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def test_the_first_look_at_mariadbs_other_tables_is_of_a_moment_after_its_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment was once taken before it: a row that came in between could be called lost."""
    opened_us: list[int] = []
    seen: list[int] = []

    @contextmanager
    def snapshot(*asked: object) -> Iterator[Reader]:
        opened_us.append(now_us())
        yield with_digests("mysql")

    monkeypatch.setattr(checking, "mariadb_snapshot", snapshot)
    monkeypatch.setattr(BesideLedger, "look_at_mariadb", lambda beside, seen_us: seen.append(seen_us))
    down = Settings(mode="external", state_dir=tmp_path, port_shift=45000)
    checking.check(Stack(down), engines=(), cover_now=False)
    assert seen[0] >= opened_us[0]
