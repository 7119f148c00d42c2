"""Several drills one after another on one stack, with a table of results. An interrupted series can be continued."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakeproof.checks.verdict import Outcome
from lakeproof.drills.phases import Phase
from lakeproof.drills.plan import DrillPlan
from lakeproof.drills.report import REPORT_JSON, DrillReport, cell, write_both
from lakeproof.machine import commit_of_code
from lakeproof.proof.findings import WRONG
from lakeproof.proof.outcome import worst
from lakeproof.repairs.running import step_in_words
from lakeproof.scenarios.pages import table
from lakeproof.stack.closure import closure
from lakeproof.stack.component import Component
from lakeproof.stack.components import all_components

ALL = "all"
HEAD = (
    "Scenario",
    "Verdict",
    "Root cause",
    "Repaired by",
    "Detect",
    "Diagnose",
    "Repair",
    "Recover",
    "Orders",
    "Wrong",
    "Whole",
    "Why",
)

# Called between two drills with the scenario of the drill that ended and the scenarios of all other drills of the
# series, earlier ones included. The ended drill's scenario is among the others where the series plays it again.
type Between = Callable[[str, Sequence[str]], None]


@dataclass
class SeriesReport:
    """The results of the drills, in the order in which they ran. `folder` holds one folder per drill.

    drills: the content of each drill's report.json, by the name of the drill's folder.
    """

    folder: Path
    seed: int
    name: str = ALL
    drills: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def verdict(self) -> Outcome:
        """passed only where every drill passed; unknown where none was run."""
        return worst(Outcome(drill["verdict"]) for drill in self.drills.values())

    def as_json(self) -> dict[str, Any]:
        """The summary, with the path of each drill's full report."""
        return {
            "scenario": self.name,
            "seed": self.seed,
            "verdict": self.verdict.value,
            "drills": [
                {
                    "scenario": drill["scenario"],
                    "verdict": drill["verdict"],
                    "root_cause": drill["root_cause"],
                    "seconds": whole_seconds(drill),
                    "reasons": drill["reasons"],
                    "repaired_by": _repaired_by(drill),
                    "report": str(Path(name) / REPORT_JSON),
                }
                for name, drill in self.drills.items()
            ],
        }

    def lines(self) -> list[str]:
        """The table for people, in Markdown. Times are in seconds; "Detect" is from the fault to the first alert."""
        passed = sum(drill["verdict"] == Outcome.PASSED for drill in self.drills.values())
        whole = sum(row["seconds"] for row in self.as_json()["drills"])
        title = (
            f"# Drills: {self.verdict.value}, {passed} of {len(self.drills)} passed, seed {self.seed}, {whole:.0f} s"
        )
        return [title, "", *table(HEAD, [_cells(drill) for drill in self.drills.values()])]

    def write(self) -> None:
        """Write report.json and report.md into `folder`. Raises: TerminalError where that fails."""
        write_both(self.folder, self.as_json(), "\n".join(self.lines()) + "\n", self.verdict)


def _cells(drill: Mapping[str, Any]) -> list[str]:
    seconds = {phase["name"]: f"{phase['seconds']:.1f}" for phase in drill["phases"]}
    fired = [alert["fired_after_seconds"] for alert in drill["alerts"] if alert["fired_after_seconds"] is not None]
    data = drill["data"]
    wrong = [f"{data[name]} {name}" for name in WRONG if data.get(name)]
    return [
        drill["scenario"],
        drill["verdict"],
        drill["root_cause"] or "",
        ", ".join(_repaired_by(drill)),
        f"{min(fired):.1f}" if fired else "",
        *(seconds.get(phase.value, "") for phase in (Phase.DIAGNOSE, Phase.MITIGATE, Phase.RECOVER)),
        "" if data.get("acknowledged") is None else f"{data['acknowledged']:,}",
        ", ".join(wrong) or ("0" if data.get("acknowledged") is not None else ""),
        f"{whole_seconds(drill):.0f}",
        cell("; ".join(drill["reasons"])),
    ]


def _repaired_by(drill: Mapping[str, Any]) -> list[str]:
    """The steps that were run, each once, with their arguments that are not empty."""
    steps = [
        step_in_words(done["action"], {name: value for name, value in done["arguments"].items() if value})
        for done in drill["mitigations"]
    ]
    return list(dict.fromkeys(steps))


def whole_seconds(drill: Mapping[str, Any]) -> float:
    """The seconds of all phases together. drill: the content of a report.json."""
    return round(sum(float(phase["seconds"]) for phase in drill["phases"]), 1)


def smallest_first(needs: Mapping[str, Iterable[str]]) -> list[str]:
    """The names, those that need the fewest components first, so that small drills run while few components load the
    machine, and later drills find components already up. needs: the components of each name.
    """
    known = all_components()
    return sorted(needs, key=lambda name: (len(closure(needs[name], known)), name))


def run_series(
    names: Sequence[str],
    folder: Path,
    seed: int,
    run: Callable[[str, Path], DrillReport],
    between: Between = lambda done, others: None,
    played: Mapping[str, Any] | None = None,
    series_name: str = ALL,
) -> SeriesReport:
    """Call `run(name, its folder)` for each name; after a failed drill the next one runs all the same.

    The summary is written after each drill. A drill is skipped where `folder` holds its report with verdict passed,
    this seed and this commit, so that an interrupted series continues where it ended. played: further names and
    values that such a report.json must have.
    """
    series = SeriesReport(folder, seed, series_name)
    for number, name in enumerate(names, 1):
        ended = ended_before(folder / name, seed, Outcome.PASSED, played)
        series.drills[name] = ended or run(name, folder / name).as_json()
        series.write()
        if ended is None and number < len(names):
            between(name, [*names[: number - 1], *names[number:]])
    return series


def needed_by_it_alone(
    done: DrillPlan, others: Iterable[DrillPlan], known_before: Collection[str], components: Mapping[str, Component]
) -> list[str]:
    """Components that only the plan `done` of the series needs, and that the stack did not have before the series.

    They come in the order in which they can be stopped: each before the components that it needs. Left running, they
    would burden every later drill, as the second server of a kind does that one cause needs. Components that several
    drills of the series need stay, even if no remaining drill needs them: stopping the lake's job before the shop's
    drills would save little.
    """
    wanted = closure((name for plan in others for name in plan.components), components)
    mine = closure(done.components, components)
    return [name for name in reversed(mine) if name not in wanted and name not in known_before]


def ended_before(
    folder: Path, seed: int, verdict: Outcome, played: Mapping[str, Any] | None = None
) -> Mapping[str, Any] | None:
    """report.json in `folder` where verdict, seed, commit and the values of `played` fit; else None.

    None also where files differ from the commit, or where there is none: nobody knows which code the report is of.
    """
    commit = commit_of_code()
    if commit.endswith("+") or commit == "unknown":
        return None
    try:
        found = json.loads((folder / REPORT_JSON).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    wanted = {"verdict": verdict.value, "seed": seed, "commit": commit, **(played or {})}
    return found if isinstance(found, dict) and all(found.get(name) == wanted[name] for name in wanted) else None
