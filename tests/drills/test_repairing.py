"""A repair told to an incident: every step in its timeline, the failed one too, and by whom."""

from pathlib import Path
from typing import Any

import pytest

from lakeproof.arguments import Arguments
from lakeproof.checks.verdict import Outcome
from lakeproof.drills.repairing import repair
from lakeproof.errors import TerminalError
from lakeproof.incidents.person import person
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.scenarios.causes import Step
from lakeproof.stack.settings import Settings, load_settings
from lakeproof.stack.stack import Stack


class Desk:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []

    def change(self, name: str, act: str, **fields: Any) -> dict[str, Any]:
        self.told.append((act, fields["who"], fields["text"]))
        return {"id": name}


def well(stack: Stack, arguments: Arguments) -> str:
    return "it runs"


def break_down(stack: Stack, arguments: Arguments) -> str:
    raise TerminalError("the bolt is stuck", where="lamp")


KNOWN = {
    name: Mitigation(name, name, lambda stack, arguments: "by hand", run)
    for name, run in (("oil_it", well), ("turn_it", break_down), ("light_it", well))
}


def test_a_step_that_fails_stands_in_the_timeline_and_ends_the_repair(tmp_path: Path) -> None:
    desk = Desk()
    steps = [Step("oil_it"), Step("turn_it"), Step("light_it")]
    done = repair(
        Stack(Settings(state_dir=tmp_path)), desk, "INC-000001", steps, KNOWN, who="an", tell=lambda text: None
    )
    assert [(each.action, each.outcome) for each in done] == [("oil_it", Outcome.PASSED), ("turn_it", Outcome.FAILED)]
    assert desk.told == [
        ("mitigate", "an", "oil_it, turn_it, light_it"),
        ("note", "an", "oil_it: passed, it runs"),
        ("note", "an", "turn_it: failed, lamp: the bolt is stuck"),
    ]


def test_a_person_is_named_by_the_environment_or_the_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEPROOF_USER", "lan")
    assert person() == "lan"
    load_settings()  # it is no setting, and not refused as one
    monkeypatch.delenv("LAKEPROOF_USER")
    monkeypatch.setattr("getpass.getuser", lambda: "minh")
    assert person() == "minh"


def test_a_user_without_a_name_is_named_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.delenv("LAKEPROOF_USER", raising=False)
    monkeypatch.setattr("getpass.getuser", nobody)
    assert person().startswith("uid ")
