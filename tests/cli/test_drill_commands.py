"""`drill`, `fault`, `diagnose`, `mitigate`, `runbook` as they are typed: what is refused, and by which words."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.doubles.plugins import OURS
from typer.testing import CliRunner

from lakeproof.checks.verdict import Outcome
from lakeproof.cli.commands import build
from lakeproof.diagnosis.cause import Step
from lakeproof.diagnosis.causes import load_causes
from lakeproof.diagnosis.diagnosis import Diagnosis, Finding, Hidden
from lakeproof.diagnosis.examination import Examination
from lakeproof.drills import live_world
from lakeproof.drills.blind import draw_pairs
from lakeproof.drills.drill_series import SeriesReport
from lakeproof.drills.order import Order, program_of
from lakeproof.drills.plan import DrillPlan, make_plan
from lakeproof.drills.report import DrillReport
from lakeproof.drills.run import DrillOptions, one_drill
from lakeproof.errors import CouldNotLook, InvalidInput
from lakeproof.faults import records
from lakeproof.faults.fault import all_faults
from lakeproof.probes.probe import all_probes
from lakeproof.processes.client import SupervisorClient
from lakeproof.scenarios.catalog import load_catalog
from lakeproof.scenarios.folder import scenario_folders
from lakeproof.stack.stack import Stack, load_stack
from lakeproof.wrong_fixes import alerts as alerts_wrong_fixes
from lakeproof.wrong_fixes.wrong_step import left_by


@pytest.fixture(autouse=True)
def own_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No command here may meet somebody's running stack: another folder, ports where nothing listens."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAKEPROOF_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("LAKEPROOF_PORT_SHIFT", "12100")
    monkeypatch.setattr("lakeproof.drills.run.LIVING_SECONDS", 0.1)


def typed(*arguments: str) -> str:
    """What the command prints. Raises: the error that `main` would turn into one line."""
    done = CliRunner().invoke(build(), list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("drill", "replication-lagg"), "no scenario 'replication-lagg'"),
        (("drill", "nope"), ", all, repairs, wrong, pairs, blind, healthy"),
        (("drill", "replication-lag", "--minutes", "1"), "--minutes: a scenario takes as long as it takes"),
        (("drill", "all", "--minutes", "1"), "it goes with healthy alone"),
        (("drill", "all", "--near-misses"), "--near-misses: a scenario's drill has its own fault"),
        (("drill", "healthy", "--near-misses", "--blind"), "each is named as it goes in"),
        (("drill", "healthy", "--near-misses", "--minutes", "5"), "--minutes: 14 near misses need 22.5"),
        (("drill", "healthy", "--afterwards", "60"), "nothing is mended that could stay well"),
        (("drill", "wrong", "--afterwards", "60"), "nothing is mended that could stay well"),
        (("drill", "all", "--afterwards", "1"), "1 s prove nothing, 60 at least"),
        (("drill", "all", "--afterwards", "60", "--timing", "production"), "longer than it looks"),
        (("drill", "replication-lag+no-such"), "no scenario 'no-such'"),
        (("drill", "helthy", "--minutes", "10"), "no scenario 'helthy', closest: 'healthy'"),
        (("drill", "pair", "--rounds", "5"), "no scenario 'pair', closest: 'pairs'"),
        (("drill", "replication-lag+replication-lag"), "paused_connector would be made twice"),
        (("drill", "all", "--fix", "silence_alert"), "it mends one scenario"),
        *(
            (("drill", name, "--cause", "x"), "--cause: it is of one scenario")
            for name in ("repairs", "wrong", "pairs", "blind")
        ),
        (("drill", "replication-lag+connector-failure", "--fix", "silence_alert"), "it mends one scenario"),
        (("drill", "replication-lag", "--fix", "pray"), "no fix 'pray'"),
        (("drill", "replication-lag", "--fix", "start_component"), "argument component"),
        (("drill", "all", "--cause", "x"), "--cause: it is of one scenario"),
        (("drill", "blind", "--fix", "silence_alert"), "it mends one scenario"),
        (("drill", "replication-lagg", "--cause", "x"), "no scenario 'replication-lagg'"),
        (("drill", "replication-lag", "--causes"), "it goes with all alone"),
        (("drill", "replication-lag", "--timing", "slow"), "no timing 'slow'"),
        (
            ("drill", "trino-backlog", "--timing", "production"),
            "trino-backlog ends by itself after 300 s, and its alert waits 300 s",
        ),
        (
            ("drill", "support-timeline", "--cause", "attachments_pile_up", "--timing", "production"),
            "after 190 s, and its alert waits 1800 s",
        ),
        (
            ("drill", "kafka-backlog+replication-lag:large_transaction", "--timing", "production"),
            "after 104 s, and its alert waits 120 s",
        ),
        (("fault", "inject", "no-such"), "no fault 'no-such'"),
        (("fault", "inject", "paused-connector", "--arg", "orders"), "is not NAME=VALUE"),
        (("fault", "inject", "paused-connector", "--arg", "conector=orders"), "argument conector"),
        (("fault", "inject", "killed-process"), "argument component"),
        (("fault", "remove"), "give a fault's name"),
        (("runbook", "show", "no-such"), "no page 'no-such'"),
        (("runbook", "show", "replication-lag", "--lang", "fr"), "no language 'fr'"),
    ],
)
def test_a_wrong_word_is_refused_before_anything_starts(arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        typed(*arguments)
    assert words in refused.value.message
    assert not list(Path("state").glob("faults/*"))


def test_production_timing_refuses_no_drill_whose_alert_has_its_rule_elsewhere() -> None:
    catalog = load_catalog()
    elsewhere = replace(catalog.scenario("trino-backlog"), alerts=("ServiceUnavailable",))
    catalog = replace(catalog, scenarios={**catalog.scenarios, "trino-backlog": elsewhere})
    order = Order("trino-backlog", timing="production")
    assert program_of(order, catalog, external=False).order == order


def test_every_fault_is_listed_with_its_arguments() -> None:
    rows = json.loads(typed("fault", "list", "--json"))
    assert [row["fault"] for row in rows] == sorted(all_faults(OURS))
    assert {row["injected_at"] for row in rows} == {None}
    paused = next(row for row in rows if row["fault"] == "paused_connector")
    assert (paused["arguments"], paused["required"]) == ({"connector": "orders"}, [])
    killed = next(row for row in rows if row["fault"] == "killed_process")
    assert (killed["arguments"], killed["required"]) == ({"component": None}, ["component"])
    assert "component=(required)" in "".join(typed("fault", "list").split())


def test_nothing_on_record_is_nothing_to_remove() -> None:
    done = CliRunner().invoke(build(), ["fault", "remove", "--all"], catch_exceptions=False)
    assert (done.exit_code, done.stderr) == (0, "no fault is on record\n")


def test_what_a_wrong_fix_left_is_listed_and_taken_out_like_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    undone: list[str] = []
    step = alerts_wrong_fixes.SilenceAlert
    monkeypatch.setattr(step, "undo", lambda self, stack: undone.append(self.alert))
    assert "silence_alert" not in typed("fault", "list")
    records.announce(load_stack(), left_by({step.id: step})[step.id], {"alert": "LampDark"}, by="drill")
    row = next(row for row in json.loads(typed("fault", "list", "--json")) if row["fault"] == "silence_alert")
    assert (row["by"], row["made"], row["records"][0]["arguments"]["alert"]) == ("drill", False, "LampDark")
    typed("fault", "remove", "--all")
    assert undone == ["LampDark"] and records.recorded(load_stack()) == ()


def test_one_that_cannot_be_taken_out_keeps_no_other_in(monkeypatch: pytest.MonkeyPatch) -> None:
    undone: list[str] = []

    def undo(stack: Stack, arguments: alerts_wrong_fixes.SilenceAlert) -> None:
        if arguments.alert == "LampDark":
            raise CouldNotLook("no answer", where="alertmanager")
        undone.append(arguments.alert)

    class Another(alerts_wrong_fixes.SilenceAlert):
        """Another one."""

    left = alerts_wrong_fixes.SilenceAlert
    monkeypatch.setattr(left, "undo", lambda self, stack: undo(stack, self))
    known = {"silence_alert": left, "another": Another}
    monkeypatch.setattr("lakeproof.cli.fault._removable", lambda stack: known)
    records.announce(load_stack(), Another, {"alert": "LampBlue"}, by="drill")
    records.announce(load_stack(), left, {"alert": "LampDark"}, by="drill")
    with pytest.raises(CouldNotLook):
        typed("fault", "remove", "--all")
    assert undone == ["LampBlue"]
    assert [each.fault for each in records.recorded(load_stack())] == ["silence_alert"]


def test_the_runbook_speaks_both_languages() -> None:
    assert typed("runbook", "show", "replication-lag", "--lang", "vi").startswith("# Độ trễ sao chép")
    assert typed("runbook", "show", "connector-failure").startswith("# A Kafka Connect connector fails")
    assert {row["scenario"] for row in json.loads(typed("runbook", "list", "--json"))} >= {"replication-lag"}


def test_a_second_drill_is_refused() -> None:
    with one_drill(load_stack()), pytest.raises(InvalidInput, match="a drill is running already"):
        typed("drill", "replication-lag")


def test_a_stack_that_runs_here_is_no_business_of_a_drill_on_somebody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    def theirs(_: SupervisorClient) -> None:
        raise AssertionError("the supervisor of this machine was asked")

    monkeypatch.setenv("LAKEPROOF_MODE", "external")
    monkeypatch.setattr(SupervisorClient, "require_ours", theirs)
    with one_drill(load_stack()), pytest.raises(InvalidInput, match="a drill is running already"):
        typed("drill", "replication-lag")


def test_a_stack_that_is_down_is_diagnosed_without_any_server() -> None:
    causes = {cause["cause"] for cause in json.loads(typed("diagnose", "--json"))["causes"]}
    assert causes == {"nothing_runs"}


def test_a_stack_of_which_nothing_was_asked_is_unknown_and_never_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEPROOF_MODE", "external")
    with pytest.raises(CouldNotLook, match=r"nothing was asked.* Next: ") as refused:
        typed("diagnose", "--json")
    assert refused.value.exit_code == 3


def test_a_diagnosis_says_which_components_it_did_not_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEPROOF_MODE", "external")
    monkeypatch.setenv("LAKEPROOF_ENDPOINTS", '{"trino": {"http": "127.0.0.1:9"}}')
    done = CliRunner().invoke(build(), ["diagnose", "--json"], catch_exceptions=False)
    found = json.loads(done.stdout)
    assert not found["healthy"]
    assert "mysql" in found["not_asked"] and "trino" not in found["not_asked"]


def test_a_healthy_look_at_a_stack_whose_parts_nobody_could_tell_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Examination(Diagnosis((), ()), {}, frozenset({"trino"}), "the supervisor said nothing for 2 s")
    monkeypatch.setattr("lakeproof.diagnosis.examination.examine", lambda stack, folders: seen)
    done = CliRunner().invoke(build(), ["diagnose"], catch_exceptions=False)
    assert done.exit_code == 3
    assert "could not tell what is part of this stack: the supervisor said nothing" in done.stdout
    done = CliRunner().invoke(build(), ["diagnose", "--json"], catch_exceptions=False)
    assert (done.exit_code, json.loads(done.stdout)["in_doubt"]) == (3, "the supervisor said nothing for 2 s")


@pytest.mark.parametrize(("percent", "told"), [(91.5, True), (40.0, False), (None, False)])
def test_a_diagnosis_on_full_processors_says_that_they_are(
    monkeypatch: pytest.MonkeyPatch, percent: float | None, told: bool
) -> None:
    seen = Examination(Diagnosis((), ()), {}, frozenset())
    monkeypatch.setattr("lakeproof.diagnosis.examination.examine", lambda stack, folders: seen)
    monkeypatch.setattr("lakeproof.processes.pressure.cpu_waiting_percent", lambda: percent)
    done = CliRunner().invoke(build(), ["diagnose"], catch_exceptions=False)
    said = "this machine's processors are full: lately processes waited for one 92 % of the time"
    assert (said in done.stdout) is told
    done = CliRunner().invoke(build(), ["diagnose", "--json"], catch_exceptions=False)
    assert json.loads(done.stdout).get("cpu_waiting_percent") == (percent if told else None)


def test_a_hidden_cause_is_told_behind_the_one_that_hides_it(monkeypatch: pytest.MonkeyPatch) -> None:
    causes = {cause.id: cause for cause in load_causes(all_probes(OURS), scenario_folders())}
    found = Diagnosis((Finding(causes["kafka_hung"], (), ()),), (), (Hidden("job_missing", "kafka_hung"),))
    seen = Examination(found, {}, frozenset())
    monkeypatch.setattr("lakeproof.diagnosis.examination.examine", lambda stack, folders: seen)
    done = CliRunner().invoke(build(), ["diagnose"], catch_exceptions=False)
    assert "hidden behind kafka_hung: job_missing; look again once that is mended" in done.stdout


def test_a_table_that_cannot_be_written_hides_nothing_that_a_series_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    found = SeriesReport(tmp_path, 7)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("lakeproof.drills.playing.run_series", lambda *_: found)
    done = CliRunner().invoke(build(), ["drill", "all", "--json", "--table", str(tmp_path / "file" / "table.md")])
    assert isinstance(done.exception, OSError)
    assert json.loads(done.stdout) == found.as_json() and "report: " in done.stderr


def test_pairs_that_need_the_path_alone_come_before_those_that_start_the_shop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played: list[str] = []

    def remember(names: Sequence[str], *_: object) -> SeriesReport:
        played.extend(names)
        return SeriesReport(tmp_path, 7)

    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("lakeproof.drills.playing.run_series", remember)
    CliRunner().invoke(build(), ["drill", "pairs", "--rounds", "30", "--seed", "7"])
    catalog = load_catalog()
    assert sorted(played) == sorted(draw_pairs(catalog, 7, 30))
    shop = [any(catalog.scenario(one).traffic.purchases for one in pair.split("+")) for pair in played]
    assert shop == sorted(shop) and len(set(shop)) == 2


def test_repairs_that_no_diagnosis_proposes_are_each_drilled_with_their_own_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[str, Path, tuple[Step, ...] | None]] = []

    class Remember:
        def __init__(self, _: object, plan: DrillPlan, options: DrillOptions, __: object) -> None:
            ran.append((plan.id, options.folder, options.fix))

        def run(self) -> DrillReport:
            return DrillReport(ran[-1][0], 7, "drill", verdict=Outcome.PASSED)

    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("lakeproof.drills.playing.Drill", Remember)
    done = CliRunner().invoke(build(), ["drill", "repairs", "--report", str(tmp_path / "series"), "--json"])
    assert done.exit_code == 0
    catalog = load_catalog()
    for name, folder, steps in ran:
        assert steps in catalog.truth(catalog.scenario(name)).accepted_repairs
        assert folder.parent == tmp_path / "series" / name
    hung = ("support-timeline:redis_hung", (Step("restart_component", (("component", "redis"),)),))
    assert hung in [(name, steps) for name, _, steps in ran] and len({folder for _, folder, _ in ran}) == len(ran)
    assert [row["report"] for row in json.loads(done.stdout)["drills"]] == [
        str((folder / "report.json").relative_to(tmp_path / "series")) for _, folder, _ in ran
    ]


def test_a_run_of_two_scenarios_has_a_name_that_a_ledger_takes() -> None:
    from lakeproof.drills.playing import run_name

    for scenario in ("replication-lag+connector-failure", "healthy", "lake-commit-failure", "a+b"):
        name = run_name(scenario)
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", name), name


def test_what_one_drill_alone_needed_is_no_part_of_the_stack_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped and still known it would count as down, and be named as a cause in every drill that follows."""
    ended: list[str] = []
    monkeypatch.setattr(live_world, "known_parts", lambda _: frozenset({"nessie", "trino", "trino-2", "kafka"}))
    monkeypatch.setattr(SupervisorClient, "forget", lambda _, name: ended.append(name))
    catalog = load_catalog()
    second, own = (make_plan([catalog.scenario(name)]) for name in ("trino-backlog:trino_2_down", "trino-backlog"))
    live_world.end_needed_alone(load_stack(), second, [own], frozenset(), lambda _: None)
    assert ended == ["trino-2"]


def test_healthy_asks_for_half_of_the_fewest_calls_though_all_scenarios_are_watched() -> None:
    from lakeproof.drills.order import plan_of

    plan = plan_of(load_catalog(), "all", 7)
    assert (plan.traffic.rate, plan.traffic.purchases) == (3, 0.5)
    assert len(plan.parts) == 13
