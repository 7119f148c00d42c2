"""The same connector as before runs on the same data: its name, its position, and its topic were not begun anew."""

from lakeproof.arguments import Arguments
from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.lake.sources.source import OLTP, find_source
from lakeproof.probes import connect, kafka
from lakeproof.probes.looking import look_once
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Reading, Value

CLAIM = "the same connector runs and goes on from where it stood"
STATES = ("connector-state", "task-state")
OF_SOURCE = (*STATES, "capture-position", "topic-start", "topic-end")


class ConnectorRunning(Arguments):
    """`connector`: its name in Kafka Connect."""

    connector: str = OLTP.connector


def _look(context: CheckContext, arguments: ConnectorRunning) -> dict[str, Reading]:
    """The readings by the probe's kind: its id without the source's name."""
    known: dict[str, Probe] = {probe.id: probe for probe in (*connect.PROBES, *kafka.PROBES)}
    name = find_source(arguments.connector, by="connector").name
    asked = {"connectors": "connectors"} | {kind: f"{name}-{kind}" for kind in OF_SOURCE}
    found = look_once(context.stack, [known[probe] for probe in asked.values()])
    return {kind: found[probe] for kind, probe in asked.items()}


def baseline(context: CheckContext, arguments: ConnectorRunning) -> Baseline:
    """The connector runs, and its position is known: else `verify` would have nothing to compare with."""
    found = _look(context, arguments)
    values = {name: seen.value for name, seen in found.items()}
    verdict = _judge(found, {})
    missing = [name for name, value in values.items() if value is None]
    if verdict.outcome is Outcome.PASSED and missing:
        verdict = Verdict(CLAIM, Outcome.UNKNOWN, f"not there yet: {', '.join(missing)}", readings=verdict.readings)
    return Baseline(verdict, values)


def verify(context: CheckContext, arguments: ConnectorRunning, before: Baseline) -> Verdict:
    """The connectors are the same and run; neither the connector's position nor its topic was begun anew."""
    return _judge(_look(context, arguments), dict(before.values))


def _judge(found: dict[str, Reading], before: dict[str, Value]) -> Verdict:
    readings = tuple(found.values())
    unanswered = [seen.probe for seen in readings if not seen.answered]
    if unanswered:
        return Verdict(CLAIM, Outcome.UNKNOWN, f"no answer to {', '.join(unanswered)}", readings=readings)
    problems = [f"{name} is {found[name].value}" for name in STATES if found[name].value != "RUNNING"]
    if before:
        problems += changes({name: seen.value for name, seen in found.items()}, before)
    if problems:
        return Verdict(CLAIM, Outcome.FAILED, "; ".join(problems), readings=readings)
    return Verdict(CLAIM, Outcome.PASSED, f"RUNNING at {found['capture-position'].value}", readings=readings)


def changes(now: dict[str, Value], before: dict[str, Value]) -> list[str]:
    """In words, what shows that another connector runs, or that this one was begun anew."""
    problems = []
    if now["connectors"] != before["connectors"]:
        problems.append(f"connectors were [{before['connectors']}], are [{now['connectors']}]")
    if now["topic-start"] != before["topic-start"]:
        problems.append(f"the topic began at offset {before['topic-start']}, begins at {now['topic-start']}")
    if _count(now["topic-end"]) < _count(before["topic-end"]):
        problems.append(f"the topic ended at offset {before['topic-end']}, ends at {now['topic-end']}")
    if _place(now["capture-position"]) < _place(before["capture-position"]):
        problems.append(f"the position was {before['capture-position']}, is {now['capture-position']}")
    return problems


def _count(value: Value) -> int:
    return int(value) if isinstance(value, int | float) else -1


def _place(value: Value) -> tuple[str, int]:
    """A sort key for `binlog.000003:12345` or `lsn:12345`; no position sorts first."""
    file, _, position = str(value or "").rpartition(":")
    return file, int(position) if position.isdigit() else -1


CHECK = Check("connector_running", CLAIM, baseline, verify, ConnectorRunning, watched=True)
