"""What a rebuild of the projection asks before anything is stopped, and what it leaves where it is cut off."""

from typing import ClassVar

import pytest

from lakeproof.errors import CouldNotLook, InvalidInput
from lakeproof.lake.capture.columns import declared_columns
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP
from lakeproof.stack.stack import Stack
from lakeproof_shop.projector import rebuild as rebuild_module
from lakeproof_shop.projector.rebuild import rebuild


class Client:
    """The supervisor's, of which nothing may be asked."""

    def __init__(self, stack: Stack) -> None:
        pass

    def __getattr__(self, name: str) -> object:
        pytest.fail(f"asked to {name}")


def test_orders_that_lack_a_column_are_not_read_anew(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lake, which reads the same topic, lost that column's values."""
    columns = {table: dict.fromkeys(names, "int") for table, names in declared_columns(OLTP).items()}
    del columns["oltp.orders"]["item_count"]
    monkeypatch.setattr(mariadb, "columns", lambda *_: columns)
    monkeypatch.setattr(rebuild_module, "SupervisorClient", Client)
    with pytest.raises(InvalidInput, match="item_count is missing in the same table, restore it first"):
        rebuild(stack, print, from_database=True)


class Stopping:
    """The supervisor's client, which keeps how it was asked to stop what."""

    stops: ClassVar[list[tuple[str, bool]]] = []

    def __init__(self, stack: Stack) -> None:
        pass

    def require_ours(self) -> None: ...

    def stop(self, name: str, *, watched: bool = False) -> None:
        self.stops.append((name, watched))


def test_a_rebuild_that_is_cut_off_leaves_a_projector_whose_absence_alerts(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped by command and unwatched it would stay away, and services would read an ever older projection."""

    def cut_off(stack: Stack) -> None:
        raise CouldNotLook("no answer", where="kafka")

    monkeypatch.setattr(rebuild_module, "SupervisorClient", Stopping)
    monkeypatch.setattr(rebuild_module, "_forget_offsets", cut_off)
    with pytest.raises(CouldNotLook):
        rebuild(stack, print)
    assert Stopping.stops == [("projector", True)]
