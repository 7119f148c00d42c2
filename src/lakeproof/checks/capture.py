"""Checks of the capture."""

from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.lake.capture.columns import look
from lakeproof.lake.job.unreadable import reads_as_text
from lakeproof.lake.of_database import OfDatabase
from lakeproof.lake.sources.source import OLTP, find_source
from lakeproof.probes import connect, kafka
from lakeproof.probes.looking import look_once
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Reading, Value


class ColumnsAgree(OfDatabase, Check):
    """Database and lake agree on the columns."""

    watched = True

    def baseline(self, context: CheckContext) -> Baseline:
        """Database and lake agree before the fault."""
        return Baseline(self._judge(context))

    def verify(self, context: CheckContext, before: Baseline) -> Verdict:
        """Database and lake agree again."""
        return self._judge(context)

    def _judge(self, context: CheckContext) -> Verdict:
        found = look(context.stack, self.source)
        numbers = {"unexpected": float(len(found.unexpected)), "unreadable": float(len(found.unreadable))}
        problems = [f"{each} is not declared" for each in found.unexpected]
        problems += [
            f"{each} is {each.kind or 'gone'}, the lake's SQL wants {each.declared}" for each in found.unreadable
        ]
        if (text := reads_as_text(context.stack, self.source)) is not None:
            problems.append(f"the job reads {text} as text, since a repair was cut off")
        if problems:
            return Verdict(self.summary, Outcome.FAILED, "; ".join(problems), numbers)
        return Verdict(self.summary, Outcome.PASSED, f"all columns of {self.database} are as declared", numbers)


STATES = ("connector-state", "task-state")

OF_SOURCE = (*STATES, "capture-position", "topic-start", "topic-end")


class ConnectorRunning(Check):
    """The same connector runs and goes on from where it stood.

    `connector`: its name in Kafka Connect.
    """

    watched = True

    connector: str = OLTP.connector

    def _look(self, context: CheckContext) -> dict[str, Reading]:
        """The readings by the probe's kind: its id without the source's name."""
        known: dict[str, Probe] = {probe.id: probe for probe in (*connect.PROBES, *kafka.PROBES)}
        name = find_source(self.connector, by="connector").name
        asked = {"connectors": "connectors"} | {kind: f"{name}-{kind}" for kind in OF_SOURCE}
        found = look_once(context.stack, [known[probe] for probe in asked.values()])
        return {kind: found[probe] for kind, probe in asked.items()}

    def baseline(self, context: CheckContext) -> Baseline:
        """The connector runs, and its position is known: else `verify` would have nothing to compare with."""
        found = self._look(context)
        values = {name: seen.value for name, seen in found.items()}
        verdict = _judge(found, {})
        missing = [name for name, value in values.items() if value is None]
        if verdict.outcome is Outcome.PASSED and missing:
            verdict = Verdict(
                self.summary, Outcome.UNKNOWN, f"not there yet: {', '.join(missing)}", readings=verdict.readings
            )
        return Baseline(verdict, values)

    def verify(self, context: CheckContext, before: Baseline) -> Verdict:
        """The connectors are the same and run; neither the connector's position nor its topic was begun anew."""
        return _judge(self._look(context), dict(before.values))


def _judge(found: dict[str, Reading], before: dict[str, Value]) -> Verdict:
    readings = tuple(found.values())
    unanswered = [seen.probe for seen in readings if not seen.answered]
    if unanswered:
        return Verdict(
            ConnectorRunning.summary, Outcome.UNKNOWN, f"no answer to {', '.join(unanswered)}", readings=readings
        )
    problems = [f"{name} is {found[name].value}" for name in STATES if found[name].value != "RUNNING"]
    if before:
        problems += changes({name: seen.value for name, seen in found.items()}, before)
    if problems:
        return Verdict(ConnectorRunning.summary, Outcome.FAILED, "; ".join(problems), readings=readings)
    return Verdict(
        ConnectorRunning.summary, Outcome.PASSED, f"RUNNING at {found['capture-position'].value}", readings=readings
    )


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
