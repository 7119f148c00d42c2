"""A repair told to an incident: every step in its timeline, the failed one too, and by whom."""

import errno
import itertools
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.diagnosis.least_readings import CAUSES, PROBES
from tests.doubles import plugins
from tests.doubles.plugins import OURS

from lakeproof.arguments import Arguments
from lakeproof.checks.verdict import Outcome
from lakeproof.diagnosis.cause import Cause, Step
from lakeproof.diagnosis.diagnosis import Finding
from lakeproof.diagnosis.nouns import component_of
from lakeproof.errors import CouldNotLook, InvalidInput, TerminalError
from lakeproof.incidents.person import person
from lakeproof.lake.sources.source import OLTP
from lakeproof.mitigations.mitigation import all_mitigations
from lakeproof.repairs.by_a_person import repair
from lakeproof.repairs.choice import aimed, fitting, untried
from lakeproof.repairs.running import mend
from lakeproof.scenarios.folder import scenario_folders
from lakeproof.scenarios.scenario import read_scenario
from lakeproof.scenarios.truth import load_truth
from lakeproof.stack.settings import Settings, load_settings
from lakeproof.stack.stack import Stack


class Desk:
    """Keeps what it was told, once for each key. `away` says which of its calls, counted from 0, have no answer."""

    def __init__(self, away: Callable[[int], bool] = lambda call: False, *, keeps: bool = False) -> None:
        self.told: list[tuple[str, str, str]] = []
        self._away, self._keeps, self._calls = away, keeps, itertools.count()
        self._keys: set[str] = set()

    def change(self, name: str, act: str, **fields: Any) -> dict[str, Any]:
        is_away, key = self._away(next(self._calls)), fields.get("key")
        if (self._keeps or not is_away) and (key is None or key not in self._keys):
            self.told.append((act, fields["who"], fields["text"]))
            self._keys |= {key} if key else set()
        if is_away:
            raise CouldNotLook("the desk does not answer (ConnectError)")
        return {"id": name}


def well(stack: Stack, arguments: Arguments) -> str:
    return "it runs"


def break_down(stack: Stack, arguments: Arguments) -> str:
    raise TerminalError("the bolt is stuck", where="lamp")


def run_out_of_disk(stack: Stack, arguments: Arguments) -> str:
    raise OSError(errno.ENOSPC, "No space left on device", "/lamp/oil")


def hang_up(stack: Stack, arguments: Arguments) -> str:
    raise ConnectionResetError


KNOWN = {
    name: plugins.mitigation(name, run)
    for name, run in (
        ("oil_it", well),
        ("turn_it", break_down),
        ("light_it", well),
        ("fill_it", run_out_of_disk),
        ("call_it", hang_up),
    )
}


def test_a_step_that_fails_stands_in_the_timeline_and_ends_the_repair(stack: Stack) -> None:
    desk = Desk()
    steps = [Step("oil_it"), Step("turn_it"), Step("light_it")]
    done, lost = repair(stack, desk, "INC-000001", steps, KNOWN, who="an", tell=lambda text: None)
    assert lost == []
    assert [(each.action, each.outcome) for each in done] == [("oil_it", Outcome.PASSED), ("turn_it", Outcome.FAILED)]
    assert desk.told == [
        ("mitigate", "an", "oil_it, turn_it, light_it"),
        ("note", "an", "oil_it: passed, it runs"),
        ("note", "an", "turn_it: failed, lamp: the bolt is stuck"),
    ]


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ("fill_it", "fill_it: failed, [Errno 28] No space left on device: '/lamp/oil'"),
        ("call_it", "call_it: failed, ConnectionResetError"),
    ],
)
def test_a_step_that_the_machine_ends_stands_in_the_timeline_too(stack: Stack, step: str, text: str) -> None:
    desk, steps = Desk(), [Step("oil_it"), Step(step), Step("light_it")]
    done, _ = repair(stack, desk, "INC-000001", steps, KNOWN, who="an", tell=lambda text: None)
    assert [each.outcome for each in done] == [Outcome.PASSED, Outcome.FAILED]
    assert desk.told[-1] == ("note", "an", text)


OILED, LIT = (f"{name}: passed, it runs" for name in ("oil_it", "light_it"))
STEPS = (Step("oil_it"), Step("light_it"))


@pytest.mark.parametrize("keeps", [False, True], ids=["not kept", "kept, and the answer lost"])
def test_what_was_done_while_the_desk_restarts_stands_in_the_timeline_once(
    stack: Stack, keeps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakeproof.incidents.client.AGAIN_SECONDS", 0.0)
    desk, heard = Desk(lambda call: 1 <= call <= 3, keeps=keeps), list[str]()
    done, lost = repair(stack, desk, "INC-000001", STEPS, KNOWN, who="an", tell=heard.append)
    assert [text for act, _, text in desk.told if act == "note"] == [OILED, LIT]
    assert (len(done), lost) == (2, [])
    assert len([text for text in heard if "tried again" in text]) == 3


def test_a_desk_that_stays_away_holds_up_no_step_and_what_it_was_not_told_is_known(stack: Stack) -> None:
    desk, heard = Desk(lambda call: call >= 1), list[str]()
    done, lost = repair(stack, desk, "INC-000001", STEPS, KNOWN, who="an", tell=heard.append, patience_seconds=0.0)
    assert [each.action for each in done] == ["oil_it", "light_it"]
    assert [line.text for line in lost] == [OILED, LIT]
    assert len({line.key for line in lost}) == 2
    assert len([text for text in heard if text.startswith("not told to INC-000001")]) == 2


def test_what_the_desk_missed_goes_with_the_next_line_that_it_takes(stack: Stack) -> None:
    desk = Desk(lambda call: call == 1)
    _, lost = repair(stack, desk, "INC-000001", STEPS, KNOWN, who="an", tell=lambda text: None, patience_seconds=0.0)
    assert [text for act, _, text in desk.told if act == "note"] == [OILED, LIT]
    assert lost == []


def test_a_line_that_the_desk_refuses_holds_up_no_further_one(tmp_path: Path) -> None:
    class Strict(Desk):
        def change(self, name: str, act: str, **fields: Any) -> dict[str, Any]:
            if fields["text"] == OILED:
                raise InvalidInput("text: String should have at most 20000 characters")
            return super().change(name, act, **fields)

    desk, stack = Strict(), Stack(Settings(state_dir=tmp_path))
    done, lost = repair(stack, desk, "INC-000001", STEPS, KNOWN, who="an", tell=lambda text: None)
    assert [text for act, _, text in desk.told if act == "note"] == [LIT]
    assert (len(done), [line.text for line in lost]) == (2, [OILED])


def test_a_repair_goes_on_at_the_step_that_failed_and_the_same_one_is_run_once(stack: Stack) -> None:
    ran: list[str] = []
    known = {**KNOWN, "turn_it": plugins.mitigation("turn_it", break_down)}
    first, second = [Step("oil_it"), Step("turn_it")], [Step("light_it")]
    outcome, why = mend(
        stack,
        known,
        [first, second, second],
        lambda typed: None,
        lambda text: None,
        lambda done: ran.append(done.action),
    )
    assert ran == ["oil_it", "turn_it", "light_it", "turn_it"]
    assert outcome is Outcome.FAILED and "the bolt is stuck" in why


@pytest.mark.parametrize(
    "module",
    [
        "lakeproof.lake.capture.gap",
        "lakeproof.mitigations.capture_gaps",
        "lakeproof_shop.scenarios.schema_drift.repairs",
        # A scenario's folder outside this package is a package of its own.
        "lakeproof_scenario_0a1b.repairs",
    ],
)
def test_a_person_hears_what_a_step_that_takes_long_is_doing(stack: Stack, module: str) -> None:
    def bridge(stack: Stack, arguments: Arguments) -> str:
        logging.getLogger(module).info("comparing it")
        return "it is whole"

    heard: list[str] = []
    step = plugins.mitigation("bridge_it", bridge)
    step.__module__ = module
    known = {"bridge_it": step}
    repair(stack, Desk(), "INC-000001", [Step("bridge_it")], known, who="an", tell=heard.append)
    assert heard == ["[  0 s] comparing it", "bridge_it: passed, it is whole"]


PAUSED, DOWN = (
    Finding(Cause(name, "s", {}, (), (), (), (), (), repairs), (), ())
    for name, repairs in (
        ("shop_paused_connector", (Step("resume_connector", (("connector", "shop"),)),)),
        (
            "trino_hung",
            tuple(Step(one, (("component", "trino"),)) for one in ("continue_process", "start_component")),
        ),
    )
)
RESUMED = "resume_connector connector=shop: passed, the connector and its task run"


@pytest.mark.parametrize(
    ("timeline", "left"),
    [
        ([("09:03", "action", RESUMED)], ["trino_hung"]),
        # Its alert cleared, and fires anew since 09:02.
        ([("09:01", "action", RESUMED)], ["trino_hung"]),
        # Of another connector; one that could not be run; somebody's words.
        ([("09:03", "action", RESUMED.replace("shop", "orders"))], ["shop_paused_connector", "trino_hung"]),
        ([("09:03", "action", RESUMED.replace("passed", "failed"))], ["shop_paused_connector", "trino_hung"]),
        ([("09:03", "note", RESUMED)], ["shop_paused_connector", "trino_hung"]),
        # The first of two steps.
        (
            [("09:03", "action", "continue_process component=trino: passed, SIGCONT sent")],
            ["shop_paused_connector", "trino_hung"],
        ),
        ([], ["shop_paused_connector", "trino_hung"]),
    ],
)
def test_a_repair_that_was_run_for_the_incident_and_did_not_help_is_not_proposed_again(
    timeline: list[tuple[str, str, str]], left: list[str]
) -> None:
    incident = {
        "alerts": [{"starts_at": f"2026-11-26T09:0{minute}:00Z", "labels": {}} for minute in (0, 2)],
        "timeline": [{"at": f"2026-11-26T{at}:00Z", "kind": kind, "what": what} for at, kind, what in timeline],
    }
    assert [one.cause.id for one in untried((PAUSED, DOWN), incident, all_mitigations(OURS))] == left


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


def found(*names: str) -> list[Finding]:
    """What a diagnosis names, the best supported cause first."""
    return [Finding(CAUSES[name], (), ()) for name in names]


def chosen(names: Sequence[str], *alerts: Mapping[str, str], stands_on: str = "") -> list[str]:
    told = [{"labels": labels, "annotations": {"stands_on": stands_on}} for labels in alerts]
    return [one.cause.id for one in fitting(found(*names), {"alerts": told}, PROBES)]


CAPTURES = ("paused_connector", "shop_stopped_connector")


@pytest.mark.parametrize(
    ("labels", "first"),
    [
        ({"connector": "orders"}, "paused_connector"),
        ({"connector": "shop"}, "shop_stopped_connector"),
        ({"database": "shop"}, "shop_stopped_connector"),
        ({"database": "oltp"}, "paused_connector"),
        ({"job_name": "lake-shop"}, "shop_stopped_connector"),
    ],
)
def test_an_incident_of_one_capture_is_repaired_by_what_is_found_about_that_one_alone(
    labels: dict[str, str], first: str
) -> None:
    assert chosen(CAPTURES, labels) == [first]
    other = next(name for name in CAPTURES if name != first)
    assert chosen([other], labels) == []


def test_an_incident_of_one_server_is_not_repaired_on_the_other_one() -> None:
    leaks = ["mysql_sessions_leaked", "postgres_sessions_leaked"]
    postgres = {"component": "postgres", "scenario": "connection-saturation"}
    assert chosen(leaks, postgres) == ["postgres_sessions_leaked"]
    assert chosen(leaks[:1], postgres) == []
    shop = {"component": "publisher", "database": "shop", "scenario": "lake-commit-failure"}
    assert chosen(["mysql_down"], shop, stands_on="mysql postgres kafka") == []
    assert chosen(["mysql_down"], shop | {"database": "oltp"}, stands_on="mysql postgres kafka") == ["mysql_down"]


def test_an_incident_of_trino_takes_no_repair_of_a_database() -> None:
    trino = {"component": "trino", "scenario": "trino-backlog"}
    assert chosen(["mysql_sessions_leaked", "resource_group_full"], trino) == ["resource_group_full"]
    assert chosen(["mysql_sessions_leaked"], trino) == []


def test_what_the_alerts_component_shows_comes_before_what_is_only_of_the_same_scenario() -> None:
    limiter = {"component": "redis", "scenario": "notification-failure"}
    assert chosen(["mail_refused", "redis_full", "redis_down"], limiter) == [
        "redis_down",
        "redis_full",
        "mail_refused",
    ]


def test_a_cause_for_which_a_component_has_to_be_well_is_none_of_its_incident() -> None:
    # A failed task, beside a database that accepts its login.
    assert chosen(["failed_task"], {"component": "mysql", "scenario": "connection-saturation"}) == []


def test_a_cause_fits_what_a_cause_behind_it_accounts_for() -> None:
    leak = replace(found("mysql_sessions_leaked")[0], explains=frozenset({"order-service-refusals"}))
    incident = {"alerts": [{"labels": {"component": "order-service", "scenario": "none"}}]}
    assert fitting([leak], incident, PROBES) == [leak]
    assert fitting(found("mysql_sessions_leaked"), incident, PROBES) == []


def test_an_incident_that_names_nothing_takes_what_the_diagnosis_names_first() -> None:
    both = found("trino_down", "paused_connector")
    for service in ("", "the till in Hue"):
        assert fitting(both, {"alerts": [], "scenario": "none", "service": service}, PROBES) == both
    assert fitting(both, {"alerts": [], "scenario": "none", "service": "connect"}, PROBES) == both[1:]
    by_hand = {"alerts": [], "scenario": "replication-lag", "service": ""}
    assert [one.cause.id for one in fitting(both, by_hand, PROBES)] == ["paused_connector"]


# Each is of another scenario, and of another capture or server than the causes that are played.
OTHERS = (
    *("shop_paused_connector", "postgres_sessions_leaked", "mysql_sessions_leaked", "resource_group_full"),
    *("mail_refused", "labels_held", "attachments_pile_up", "reservation_ttl_shortened"),
)
RULES = {
    rule["alert"]: rule
    for folder in scenario_folders().values()
    for group in yaml.safe_load((folder / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}
# By which labels an alert tells of which capture or component, where its own expression gives them.
SERIES = {"connector": "connector", "database": "database", "job_name": "job"}


def alert_of(name: str, cause: Cause) -> dict[str, Any]:
    """The alert as it fires for that cause; one that no single capture has is played in oltp."""
    rule, words = RULES[name], cause.subject if "source" in cause.subject else OLTP.words
    labels = {
        key: str(component_of(cause.subject)) if "{{" in value else value for key, value in rule["labels"].items()
    }
    told = {
        label: words[word] for label, word in SERIES.items() if re.search(rf"by \([^)]*\b{label}\b", rule["expr"])
    }
    return {"labels": labels | told, "annotations": rule["annotations"]}


def known_causes() -> list[tuple[str, str]]:
    """Every cause with each alert of its scenario, and every cause that is played with each alert that it is to set
    off; but not a server's cause with the alert of the other server.
    """
    scenarios = [read_scenario(folder) for folder in scenario_folders().values()]
    pairs = {
        (cause.id, alert)
        for one in scenarios
        for cause in CAUSES.values()
        if cause.scenario == one.id
        for alert in one.owned_alerts
    }
    for one in scenarios:
        for played in (one, *one.others.values()):
            cause = load_truth(played.folder, played.cause).root_cause
            pairs |= {(cause, alert) for alert in played.alerts}
    servers = {"mysql", "postgres"}
    return sorted(
        (cause, alert)
        for cause, alert in pairs
        if {RULES[alert]["labels"]["component"], component_of(CAUSES[cause].subject)} != servers
    )


@pytest.mark.parametrize(("name", "alert"), known_causes())
def test_each_cause_is_the_one_that_its_scenarios_alert_is_repaired_by(name: str, alert: str) -> None:
    cause = CAUSES[name]
    others = [other for other in OTHERS if CAUSES[other].scenario != RULES[alert]["labels"]["scenario"]]
    # A finding accounts for what the causes behind it account for: an emptied node is a node that is down.
    behind = frozenset(probe for other in CAUSES.values() if name in other.masked_by for probe in other.explains)
    findings = [*found(*others), Finding(cause, (), (), behind)]
    assert fitting(findings, {"alerts": [alert_of(alert, cause)]}, PROBES)[:1] == findings[-1:]


@pytest.mark.parametrize(
    ("step", "labels", "arguments"),
    [
        (Step("resume_connector"), {"connector": "shop"}, {"connector": "shop"}),
        (Step("resume_connector"), {"connector": "orders"}, {"connector": "orders"}),
        (Step("resume_connector", (("connector", "orders"),)), {"connector": "shop"}, {"connector": "orders"}),
        (Step("resume_connector", (("connector", "shop"),)), {}, {"connector": "shop"}),
        (Step("abort_hanging_transactions"), {}, {}),
        (Step("resubmit_job"), {"database": "shop"}, {"database": "shop"}),
        (Step("resubmit_job"), {"job_name": "lake-shop"}, {"database": "shop"}),
        (Step("start_component", (("component", "trino"),)), {"connector": "shop"}, {"component": "trino"}),
        # A server's own alert, also while an alert of a capture is in the same incident.
        (Step("end_idle_sessions"), {"component": "postgres"}, {"database": "postgres"}),
        (Step("end_blocking_session"), {"component": "mysql", "connector": "shop"}, {"database": "mysql"}),
        (Step("end_idle_sessions", (("database", "mysql"),)), {"component": "postgres"}, {"database": "mysql"}),
    ],
)
def test_a_chosen_step_acts_on_the_capture_that_the_incident_is_about(
    step: Step, labels: dict[str, str], arguments: dict[str, str]
) -> None:
    known = all_mitigations(OURS)[step.id]
    assert aimed(step, known, {"alerts": [{"labels": labels}]}).arguments == arguments


@pytest.mark.parametrize(
    ("name", "labels", "words"),
    [
        ("redeploy_connector", {}, "--arg connector=orders or --arg connector=shop"),
        ("resume_connector", {"connector": "nobody"}, "--arg connector=orders or --arg connector=shop"),
        ("restore_grant", {}, "--arg database=oltp or --arg database=shop"),
    ],
)
def test_a_chosen_step_that_could_act_on_either_capture_is_refused_where_both_are_there(
    name: str, labels: dict[str, str], words: str
) -> None:
    known, incident = all_mitigations(OURS)[name], {"alerts": [{"labels": labels}]}
    with pytest.raises(InvalidInput) as refused:
        aimed(Step(name), known, incident)
    assert words in refused.value.message
    assert aimed(Step(name), known, incident, (OLTP.words,)) == Step(name)


def test_a_chosen_step_at_a_server_asks_which_one_where_the_alerts_name_none() -> None:
    incident = {"alerts": [{"labels": {"connector": "orders", "component": "connect"}}]}
    with pytest.raises(InvalidInput) as refused:
        aimed(Step("end_idle_sessions"), all_mitigations(OURS)["end_idle_sessions"], incident)
    assert "--arg database=mysql or --arg database=postgres" in refused.value.message
