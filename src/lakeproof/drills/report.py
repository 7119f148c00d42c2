"""A drill's report: report.json for programs, and report.md with the RCA for people."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.drills.bound_checks import Judged
from lakeproof.drills.phases import Phase, PhaseRecord
from lakeproof.errors import TerminalError
from lakeproof.machine import commit_of_code
from lakeproof.probes.reading import Value
from lakeproof.proof.findings import WRONG
from lakeproof.repairs.running import StepDone
from lakeproof.scenarios.pages import table
from lakeproof.written import write_file

REPORT_JSON = "report.json"
REPORT_MARKDOWN = "report.md"
COUNTS = ("acknowledged", *WRONG, "unclear")
ROWS = "rows."


@dataclass(frozen=True)
class AlertTimes:
    """One alert: seconds from the fault until it fired, from the repair's begin until it cleared (None: not seen)."""

    name: str
    fired_after_seconds: float | None
    cleared_after_seconds: float | None


@dataclass
class DrillReport:
    """Everything that a drill found out; filled while it runs.

    named_causes: every cause that the diagnosis named; a false one fails the drill.
    published_before, published_after: the newest published Nessie hash and its checkpoint.
    afterwards: for how many seconds after the kill at the end no alert might fire; 0: not asked.
    blind: neither scenario nor fault was named before the review.
    fix: ids of the steps that were run instead of the diagnosed repair; empty: the diagnosed repair was run.
    near_misses: the near misses that a healthy drill injected, in words.
    """

    scenario: str
    seed: int
    timing: str
    verdict: Outcome = Outcome.UNKNOWN
    reasons: list[str] = field(default_factory=list)
    phases: list[PhaseRecord] = field(default_factory=list)
    alerts: list[AlertTimes] = field(default_factory=list)
    incident: str | None = None
    root_cause: str | None = None
    named_causes: list[str] = field(default_factory=list)
    evidence: list[Mapping[str, Any]] = field(default_factory=list)
    mitigations: list[StepDone] = field(default_factory=list)
    checks: list[Judged] = field(default_factory=list)
    published_before: tuple[Value, Value] = (None, None)
    published_after: tuple[Value, Value] = (None, None)
    quiet_seconds: float = 0.0
    afterwards: float = 0.0
    blind: bool = False
    fix: tuple[str, ...] = ()
    near_misses: list[str] = field(default_factory=list)
    residue: list[str] = field(default_factory=list)
    rca: str = ""

    @property
    def repair(self) -> dict[str, str]:
        """Three outcomes, each unknown where its phase was not reached. delivered: every step ran. helped: what the
        operator watches is well again. whole: every claim about service and data holds.
        """
        outcomes = {record.phase: record.outcome for record in self.phases}
        phases = {"delivered": Phase.MITIGATE, "helped": Phase.RECOVER, "whole": Phase.VERIFY}
        return {name: outcomes.get(phase, Outcome.UNKNOWN).value for name, phase in phases.items()}

    def as_json(self) -> dict[str, Any]:
        """The content of report.json."""
        return {
            "scenario": self.scenario,
            "seed": self.seed,
            "verdict": self.verdict.value,
            "reasons": self.reasons,
            "timing": self.timing,
            "commit": commit_of_code(),
            "phases": [record.as_json() for record in self.phases],
            "alerts": [
                {
                    "name": alert.name,
                    "fired_after_seconds": _rounded(alert.fired_after_seconds),
                    "cleared_after_seconds": _rounded(alert.cleared_after_seconds),
                }
                for alert in self.alerts
            ],
            "incident": self.incident,
            "root_cause": self.root_cause,
            "evidence": list(self.evidence),
            "mitigations": [
                {
                    "action": done.action,
                    "arguments": dict(done.arguments),
                    "seconds": round(done.seconds, 3),
                    "outcome": done.outcome.value,
                    "text": done.text,
                }
                for done in self.mitigations
            ],
            "repair": self.repair,
            "data": data_of([judged.verdict for judged in self.checks]),
            "checks": [
                {
                    "check": judged.check,
                    "claim": judged.verdict.claim,
                    "outcome": judged.verdict.outcome.value,
                    "summary": judged.verdict.summary,
                    "numbers": judged.verdict.numbers,
                    "keys": list(judged.verdict.keys),
                }
                for judged in self.checks
            ],
            "nessie": {"before": self.published_before[0], "after": self.published_after[0]},
            "checkpoint": {"before": self.published_before[1], "after": self.published_after[1]},
            "quiet_seconds": self.quiet_seconds,
            "afterwards_seconds": self.afterwards,
            "blind": self.blind,
            "fix": list(self.fix),
            "near_misses": self.near_misses,
            "residue": self.residue,
        }

    def write(self, folder: Path) -> None:
        """Write report.json and report.md into `folder`. Raises: TerminalError where that fails."""
        write_both(folder, self.as_json(), markdown(self), self.verdict)


def write_both(folder: Path, data: Mapping[str, Any], text: str, verdict: Outcome) -> None:
    """Write report.json and report.md, each atomically. Raises: TerminalError, whose message tells the verdict."""
    try:
        write_file(folder / REPORT_JSON, json.dumps(data, indent=1, ensure_ascii=False, default=str) + "\n")
        write_file(folder / REPORT_MARKDOWN, text)
    except OSError as error:
        raise TerminalError(
            f"the report cannot be written: {error.strerror} (verdict: {verdict.value})",
            where=str(folder),
            next_action="free or mend that place, or give another by --report, then run it again; "
            "`lakeproof fault list` says whether a fault is on record",
        ) from error


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def data_of(verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """The counts about data that the verdicts rest on; a count that no check gave is null, never 0."""
    counts: dict[str, int | None] = dict.fromkeys(COUNTS)
    engines: dict[str, int] = {}
    for verdict in verdicts:
        for name, value in verdict.numbers.items():
            if name in counts:
                # The largest count of any check: a name has the same meaning in all checks.
                counts[name] = max(int(value), counts[name] or 0)
            elif name.startswith(ROWS):
                engines[name.removeprefix(ROWS)] = int(value)
    return {**counts, "engines": engines}


def markdown(report: DrillReport) -> str:
    """The report for people: the outcome, the phases, the checks, then the desk's RCA."""
    lines = [
        f"# Drill {report.scenario}: {report.verdict.value}",
        "",
        f"Seed {report.seed}, timing {report.timing}, incident {report.incident or 'none'}, "
        f"root cause {report.root_cause or 'not found'}.",
        "",
    ]
    if report.reasons:
        lines += ["Why:", "", *(f"- {reason}" for reason in report.reasons), ""]
    lines += _table(
        ("Phase", "Started (UTC)", "Seconds", "Outcome"),
        [
            (each.phase.value, each.started_at.strftime("%H:%M:%S"), f"{each.seconds:.1f}", each.outcome.value)
            for each in report.phases
        ],
    )
    lines += _table(
        ("Alert", "Fired after", "Cleared after the repair began"),
        [
            (each.name, _seconds(each.fired_after_seconds), _seconds(each.cleared_after_seconds))
            for each in report.alerts
        ],
    )
    lines += _table(
        ("Action", "Seconds", "Outcome", "What happened"),
        [(each.in_words, f"{each.seconds:.1f}", each.outcome.value, each.text) for each in report.mitigations],
    )
    lines += [f"The repair: {', '.join(f'{name} {outcome}' for name, outcome in report.repair.items())}.", ""]
    lines += _table(
        ("Check", "Outcome", "Found"),
        [(each.check, each.verdict.outcome.value, each.verdict.summary) for each in report.checks],
    )
    lines += ["Left behind: " + ("; ".join(report.residue) or "nothing") + ".", ""]
    if report.rca:
        lines += ["---", "", report.rca.strip(), ""]
    return "\n".join(lines)


def _seconds(value: float | None) -> str:
    return "not seen" if value is None else f"{value:.1f} s"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [*table(head, [[cell(each) for each in row] for row in rows]), ""] if rows else []


def cell(text: str) -> str:
    """The text as it may stand in a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")
