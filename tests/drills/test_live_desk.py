"""What a drill writes into the desk while the desk is restarted, and what it finds in a desk with many incidents."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from lakeproof.drills import live_world
from lakeproof.drills.live_world import LiveDesk
from lakeproof.errors import CouldNotLook, InvalidInput
from lakeproof.incidents import client
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


class Desk:
    """Keeps each call once for its key, but the answers to the first `lost` calls do not arrive."""

    def __init__(self, lost: int = 0, rows: Iterable[dict[str, Any]] = ()) -> None:
        self.lost, self.rows = lost, list(rows)
        self.kept: dict[str, tuple[str, dict[str, Any]]] = {}

    def _answer(self) -> None:
        if self.lost:
            self.lost -= 1
            raise CouldNotLook("the desk does not answer (ReadTimeout), and may have kept it", where="desk")

    def change(self, name: str, act: str, *, key: str, **fields: Any) -> dict[str, Any]:
        self.kept.setdefault(key, (act, fields))
        self._answer()
        return {}

    def incident(self, name: str) -> dict[str, Any]:
        self._answer()
        return {"status": "open", "alerts": []}

    def newest(self, status: str | None = None, most: int | None = None) -> tuple[list[dict[str, Any]], int]:
        self._answer()
        rows = [row for row in self.rows if status in (None, row["status"])]
        return rows[:most], len(rows[most:]) if most else 0

    def incidents(self, status: str | None = None) -> list[dict[str, Any]]:
        return self.newest(status)[0]


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`live(desk)`: a drill's way to that desk, which is asked again at once."""
    monkeypatch.setattr(client, "AGAIN_SECONDS", 0.0)

    def make(desk: Desk) -> LiveDesk:
        monkeypatch.setattr(live_world, "DeskClient", lambda stack: desk)
        return LiveDesk(Stack(Settings.model_validate({"state_dir": tmp_path})))

    return make


def test_a_line_whose_answer_was_lost_is_sent_again_and_kept_once(live: Any) -> None:
    desk = Desk(lost=2)
    live(desk).note("INC-000001", "action", "resume_connector: passed")
    assert [(act, fields["text"]) for act, fields in desk.kept.values()] == [("note", "resume_connector: passed")]


def test_every_act_of_a_drill_outlives_a_restart_of_the_desk(live: Any) -> None:
    desk = Desk()
    drill = live(desk)
    acts: tuple[Callable[[], object], ...] = (
        lambda: drill.acknowledge("INC-000001"),
        lambda: drill.mitigate("INC-000001", "resume_connector"),
        lambda: drill.attach("INC-000001", "diagnosis", "diagnosis", {}),
        lambda: drill.resolve("INC-000001", "over"),
    )
    for act in acts:
        desk.lost = 2
        act()
    assert [act for act, _ in desk.kept.values()] == ["ack", "mitigate", "evidence", "resolve"]


def test_a_look_for_the_incident_outlives_a_restart_of_the_desk(live: Any) -> None:
    rows = [{"id": "INC-000002", "status": "open"}]
    assert live(Desk(1, rows)).ids() == {"INC-000002"}
    assert [found.id for found in live(Desk(1, rows)).incidents(frozenset())] == ["INC-000002"]


def test_an_old_incident_that_is_still_open_is_looked_at_behind_many_newer_ones(
    live: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_world, "NEWEST", 2)
    states = {4: "resolved", 3: "reviewed", 2: "resolved", 1: "mitigating"}
    desk = live(Desk(rows=[{"id": f"INC-{number}", "status": status} for number, status in states.items()]))
    known = desk.ids()
    assert len(known) == 4
    assert [found.id for found in desk.incidents(known)] == ["INC-1"]


def test_a_desk_that_refuses_a_call_has_answered_and_is_waited_for_as_before(live: Any) -> None:
    desk = Desk()
    drill = live(desk)

    def refuse(name: str, act: str, **fields: Any) -> dict[str, Any]:
        raise InvalidInput("it is resolved", where=name)

    kept, desk.change = desk.change, refuse  # type: ignore[method-assign]
    with pytest.raises(InvalidInput):
        drill.note("INC-000001", "action", "resume_connector: passed")
    desk.change, desk.lost = kept, 2  # type: ignore[method-assign]
    drill.note("INC-000001", "action", "resume_connector: passed")
    assert len(desk.kept) == 1


def test_a_desk_that_stays_away_is_waited_for_once(live: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    waited = list[float]()

    def until_kept(keep: Callable[[], Any], tell: object, patience_seconds: float) -> Any:
        waited.append(patience_seconds)
        return keep()

    monkeypatch.setattr(live_world, "until_kept", until_kept)
    drill = live(Desk(lost=2))
    for _ in range(2):
        with pytest.raises(CouldNotLook):
            drill.note("INC-000001", "action", "resume_connector: passed")
    for _ in range(2):
        drill.note("INC-000001", "action", "resume_connector: passed")
    assert waited == [client.PATIENCE_SECONDS, 0.0, 0.0, client.PATIENCE_SECONDS]
