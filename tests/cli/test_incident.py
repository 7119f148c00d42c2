"""What `incident` and `mitigate` do while the desk is away: nothing that was done or found is lost in silence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.doubles import plugins
from typer.testing import CliRunner

from lakeproof.arguments import Arguments
from lakeproof.cli.commands import build
from lakeproof.errors import CouldNotLook, InvalidInput
from lakeproof.incidents import client
from lakeproof.proof.outcome import Outcome
from lakeproof.stack.stack import Stack


class Desk:
    """Knows INC-000001, takes what `takes` says, and does not answer else."""

    def __init__(self, takes: Callable[[str], bool]) -> None:
        self._takes = takes
        self.told: list[dict[str, Any]] = []

    def incident(self, name: str) -> dict[str, Any]:
        return {"id": "INC-000001", "alerts": [], "timeline": []}

    def change(self, name: str, act: str, **fields: Any) -> dict[str, Any]:
        if not self._takes(act):
            raise CouldNotLook("the desk does not answer (ConnectError)", where="desk")
        self.told.append({"act": act, **fields})
        return {"id": name, "status": "open", "owner": ""}


class Report:
    """What a comparison found."""

    outcome, acknowledged, orders = Outcome.PASSED, 12, 4

    def as_json(self) -> dict[str, Any]:
        return {"verdict": "passed"}


@pytest.fixture
def desk(own_stack: object, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str], bool]], Desk]:
    """`desk(takes)` is the one that the commands meet; nobody waits for it."""

    def make(takes: Callable[[str], bool]) -> Desk:
        made = Desk(takes)
        monkeypatch.setattr(client, "DeskClient", lambda stack: made)
        monkeypatch.setattr(client, "PATIENCE_SECONDS", 0.0)
        monkeypatch.setattr("lakeproof.repairs.by_a_person.repair.__kwdefaults__", {"patience_seconds": 0.0})
        monkeypatch.setattr("lakeproof.proof.checking.check", lambda stack, progress: Report())
        return made

    return make


class FullDesk:
    """Holds 250 incidents."""

    def newest(self, status: str | None, most: int | None) -> tuple[list[dict[str, Any]], int]:
        shown = 250 if most is None else min(most, 250)
        keys = ("status", "severity", "team", "service", "owner", "opened_at", "title", "merged_into")
        rows = [{"id": f"INC-{number:06}"} | dict.fromkeys(keys, "") for number in range(250, 250 - shown, -1)]
        return rows, 250 - shown


@pytest.mark.parametrize(
    ("typed", "shown", "older"),
    [([], 200, 50), (["--limit", "3"], 3, 247), (["--limit", "250"], 250, 0), (["--all"], 250, 0)],
)
@pytest.mark.parametrize("as_json", [["--json"], []])
def test_a_list_says_how_many_older_incidents_it_does_not_show(
    own_stack: object, monkeypatch: pytest.MonkeyPatch, typed: list[str], shown: int, older: int, as_json: list[str]
) -> None:
    monkeypatch.setattr(client, "DeskClient", lambda stack: FullDesk())
    done = CliRunner().invoke(build(), ["incident", "list", *typed, *as_json], catch_exceptions=False)
    assert done.stdout.count("INC-") == shown
    said = f"{older} older ones are not shown: --all shows them too, --limit so many of the newest\n"
    assert done.stderr == (said if older else "")


@pytest.mark.parametrize("as_json", [["--json"], []])
def test_what_a_cross_check_found_is_printed_where_the_desk_is_away(desk: Any, as_json: list[str]) -> None:
    desk(lambda act: False)
    done = CliRunner().invoke(build(), ["incident", "cross-check", "1", *as_json])
    assert json.loads(done.stdout) == {"verdict": "passed"}
    assert isinstance(done.exception, CouldNotLook)
    assert "not attached" in done.exception.message


def test_a_cross_check_that_the_desk_takes_is_attached_with_a_key(desk: Any) -> None:
    found = desk(lambda act: True)
    done = CliRunner().invoke(build(), ["incident", "cross-check", "1"], catch_exceptions=False)
    assert (done.exit_code, done.stdout) == (0, "")
    assert [(one["act"], one["body"]) for one in found.told] == [("evidence", {"verdict": "passed"})]
    assert found.told[0]["key"]


def test_a_note_has_a_key_of_its_own_or_the_one_that_was_given(desk: Any) -> None:
    found = desk(lambda act: True)
    for more in ([], [], ["--key", "k1", "--kind", "action"]):
        CliRunner().invoke(build(), ["incident", "note", "1", "seen", *more], catch_exceptions=False)
    keys = [one["key"] for one in found.told]
    assert (len(set(keys)), keys[2], found.told[2]["kind"]) == (3, "k1", "action")


@pytest.mark.parametrize(
    ("more", "title"), [([], "probe.json"), (["--title", "after the repair"], "after the repair")]
)
def test_a_probes_json_is_attached_by_its_files_name_or_from_stdin(
    desk: Any, tmp_path: Path, more: list[str], title: str
) -> None:
    found, printed = desk(lambda act: True), '{"ok": true, "p95_seconds": 0.2}'
    (tmp_path / "probe.json").write_text(printed)
    typed = ["incident", "attach", "1", str(tmp_path / "probe.json"), *more]
    CliRunner().invoke(build(), typed, catch_exceptions=False)
    CliRunner().invoke(build(), ["incident", "attach", "1", "-"], input=printed, catch_exceptions=False)
    assert [(one["act"], one["kind"], one["title"]) for one in found.told] == [
        ("evidence", "probe", title),
        ("evidence", "probe", "stdin"),
    ]
    assert [one["body"] for one in found.told] == [{"ok": True, "p95_seconds": 0.2}] * 2
    assert found.told[0]["key"] != found.told[1]["key"]


@pytest.mark.parametrize(("document", "printed"), [("-", "no JSON at all"), ("/nowhere/probe.json", "")])
def test_what_is_no_json_is_not_attached(desk: Any, document: str, printed: str) -> None:
    found = desk(lambda act: True)
    done = CliRunner().invoke(build(), ["incident", "attach", "1", document], input=printed)
    assert isinstance(done.exception, InvalidInput)
    assert found.told == []


def test_a_repair_that_the_desk_was_not_told_of_is_run_said_and_ends_with_3(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(stack: Stack, arguments: Arguments) -> str:
        return "it runs"

    known = {"start_component": plugins.mitigation("start_component", run)}
    monkeypatch.setattr("lakeproof.mitigations.mitigation.all_mitigations", lambda folders: known)
    desk(lambda act: act == "mitigate")
    typed = ["mitigate", "1", "--action", "start_component", "--yes", "--json"]
    done = CliRunner().invoke(build(), typed, catch_exceptions=False)
    assert done.exit_code == 3
    (row,) = json.loads(done.stdout)
    assert (row["outcome"], row["in_timeline"]) == ("passed", False)
    assert "incident note INC-000001 'start_component: passed, it runs' --kind action --key" in done.stderr
