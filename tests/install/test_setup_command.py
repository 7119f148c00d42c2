"""The commands: who is asked, what is printed, how they end."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from tests.doubles.terminal import Terminal
from typer.testing import CliRunner

from lakeproof.cli import setup as command
from lakeproof.cli.setup import PlainProgress
from lakeproof.errors import InvalidInput, LakeproofError
from lakeproof.install import doctor
from lakeproof.install.doctor import Finding, State
from lakeproof.install.recipe import clone_dir, load_recipes
from lakeproof.observability.receivers import SLACK_URL, slack_finding

from .conftest import MakeRecipe


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    output: str
    told: str
    error: BaseException | None


def run(*words: str) -> Ended:
    app = typer.Typer()
    app.command()(command.setup)
    app.command()(command.doctor)
    result = CliRunner().invoke(app, list(words))
    return Ended(result.exit_code, result.stdout, result.stderr, result.exception)


@pytest.fixture
def of_clone(clone: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command works on the test's clone, and nobody has consented beforehand."""
    monkeypatch.setattr(command, "load_recipes", lambda: load_recipes(clone))
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("LAKEPROOF_YES", raising=False)
    return clone


def test_a_person_at_a_terminal_is_asked_before_a_large_download(
    of_clone: Path, make_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_recipe(download_mb="500")
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    with pytest.raises(InvalidInput, match="you said no; nothing was changed"):
        command.setup()
    told = capsys.readouterr().err
    assert "500 MB to download" in told and "Go on?" in told
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    command.setup()


def test_without_a_terminal_the_plan_is_printed_and_it_goes_on(of_clone: Path, make_recipe: MakeRecipe) -> None:
    make_recipe(download_mb="500")
    ended = run("setup", "--json")
    assert ended.code == 0, ended.error
    assert "500 MB to download" in ended.told and "nobody to ask" in ended.told
    assert [row["outcome"] for row in json.loads(ended.output)] == ["built"]


def test_what_an_artifact_needs_is_announced_with_it(of_clone: Path, make_recipe: MakeRecipe) -> None:
    make_recipe("wanted", needs='["need"]', download_mb="40")
    make_recipe("need", download_mb="300")
    make_recipe("other", download_mb="9")
    ended = run("setup", "--only", "wanted")
    assert ended.code == 0, ended.error
    assert "340 MB to download" in ended.told and "nobody to ask" in ended.told and "other" not in ended.told


@pytest.mark.parametrize("consent", [{"CI": "1"}, {"LAKEPROOF_YES": "1"}])
def test_ci_and_the_environment_count_as_consent(
    of_clone: Path, make_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch, consent: dict[str, str]
) -> None:
    make_recipe(download_mb="500")
    for name, value in consent.items():
        monkeypatch.setenv(name, value)
    assert run("setup").code == 0


def test_json_lists_what_is_there(of_clone: Path, make_recipe: MakeRecipe) -> None:
    make_recipe()
    rows = json.loads(run("setup", "--yes", "--json").output)
    assert [(row["name"], row["outcome"]) for row in rows] == [("thing", "built")]
    assert Path(rows[0]["path"]).is_dir()


def test_verify_finds_changed_bytes_and_repairs_them(of_clone: Path, make_recipe: MakeRecipe) -> None:
    make_recipe()
    path = Path(json.loads(run("setup", "--yes", "--json").output)[0]["path"]) / "lib" / "service.jar"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"!")
    assert json.loads(run("setup", "--json").output)[0]["outcome"] == "present"
    assert json.loads(run("setup", "--json", "--verify").output)[0]["outcome"] == "repaired"
    assert path.read_bytes() == content


def test_plain_lines_are_not_repeated_within_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    progress = PlainProgress()
    for _ in range(5):
        progress.amount("trino", 1, 0, "packages")
    assert capsys.readouterr().err.count("\n") == 1


def found(*findings: Finding) -> list[doctor.Check]:
    def check() -> Iterator[Finding]:
        yield from findings

    return [check]


def test_doctor_fails_when_something_is_missing_and_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_checks", found(Finding("mvn", State.MISSING, "none", "apt-get install maven")))
    ended = run("doctor")
    assert isinstance(ended.error, LakeproofError) and ended.error.exit_code == 1
    assert "apt-get install maven" in ended.output


def test_a_warning_does_not_make_doctor_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_checks", found(Finding("slack", State.WARNING, "NOT SET")))
    assert run("doctor").code == 0


def test_doctor_as_json_has_the_command_that_mends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_checks", found(Finding("git", State.OK, "/usr/bin/git")))
    monkeypatch.setenv(SLACK_URL, "somewhere")
    assert json.loads(run("doctor", "--json").output) == [
        {"name": "git", "state": "ok", "seen": "/usr/bin/git", "get_it": ""},
        {"name": SLACK_URL, "state": "ok", "seen": "set", "get_it": ""},
    ]


def test_an_unset_slack_webhook_is_said_loudly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SLACK_URL, raising=False)
    finding = slack_finding(os.environ)
    assert finding.state is State.WARNING and "NOT SET" in finding.seen
    monkeypatch.setenv(SLACK_URL, "somewhere")
    finding = slack_finding(os.environ)
    assert finding.state is State.OK


def test_every_line_of_the_package_table_has_four_fields(tmp_path: Path) -> None:
    assert ("mvn", "maven") in doctor.packaged_programs(clone_dir() / "third_party" / "apt.tsv")
    (tmp_path / "apt.tsv").write_text("mvn maven\n")
    with pytest.raises(InvalidInput, match="line 1"):
        doctor.packaged_programs(tmp_path / "apt.tsv")


def test_doctor_misses_nothing_where_nobody_has_asked_for_it(
    make_recipe: MakeRecipe, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_recipe("heavy", on_request="true")
    monkeypatch.setattr(doctor, "load_recipes", lambda: load_recipes(clone))
    (finding,) = doctor.fetched()
    assert (finding.name, finding.state) == ("heavy 1.0", State.OK)
    assert finding.get_it == "lakeproof setup --only heavy"
