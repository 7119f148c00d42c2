"""Several drills one after another on one stack, and the table of how they went. One that was cut off goes on."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakeproof.bench.machine import commit_of_code
from lakeproof.checks.verdict import Outcome
from lakeproof.drills.phases import Phase
from lakeproof.drills.plan import DrillPlan
from lakeproof.drills.report import REPORT_JSON, DrillReport, cell, write_both
from lakeproof.proof.outcome import worst
from lakeproof.repairs.running import step_in_words
from lakeproof.scenarios.pages import table
from lakeproof.stack.closure import closure
from lakeproof.stack.component import Component
from lakeproof.stack.components import all_components

ALL = "all"
# What a repair must never leave in the data, as report.json counts it.
WRONG = ("lost", "duplicated", "stale", "phantom", "oversold")
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

# Told after a drill that others follow: its scenario, and the scenarios of the series' other drills, also of those
# before it; its own is among them where it is played again.
type Between = Callable[[str, Sequence[str]], None]


@dataclass
class SeriesReport:
    """How the drills went, in their order. `folder` holds one folder for each.

    drills: report.json of each by its folder's name, as it stands on the disk.
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
        """The summary; each drill's whole report lies in a folder of its own."""
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
        """The table for people, in Markdown. Times in seconds; detect from the fault to the first alert."""
        passed = sum(drill["verdict"] == Outcome.PASSED for drill in self.drills.values())
        whole = sum(row["seconds"] for row in self.as_json()["drills"])
        title = (
            f"# Drills: {self.verdict.value}, {passed} of {len(self.drills)} passed, seed {self.seed}, {whole:.0f} s"
        )
        return [title, "", *table(HEAD, [_cells(drill) for drill in self.drills.values()])]

    def write(self) -> None:
        """Both files, in the series' own folder. Raises: TerminalError where that cannot be done."""
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
    """The steps that were run, once each, with those of their arguments that say something."""
    steps = [
        step_in_words(done["action"], {name: value for name, value in done["arguments"].items() if value})
        for done in drill["mitigations"]
    ]
    return list(dict.fromkeys(steps))


def whole_seconds(drill: Mapping[str, Any]) -> float:
    """All phases of that report.json together."""
    return round(sum(float(phase["seconds"]) for phase in drill["phases"]), 1)


def smallest_first(needs: Mapping[str, Iterable[str]]) -> list[str]:
    """The names, those first that need the fewest components: what they start is there for the others, and they run
    before it weighs on the machine. needs: the components of each name.
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
    """`run(name, its folder)` for each; a drill that fails does not keep the next one from being run.

    The summary is written after each. A drill of this code that passed in this folder with this seed is not run
    again, so a series that was cut off goes on where it was. played: what else its report must say of how it was
    played (names and values of report.json).
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
    """Components that only this plan of the series needs, and that the stack did not have before it.

    In the order in which they can be stopped: a component comes before those that it needs. They would weigh on every
    drill after it, as the second server of a kind does that one cause needs. What several drills of the series need
    stays, although none that is left may need it: to end the lake's job before the shop's drills would save little.
    """
    wanted = closure((name for plan in others for name in plan.components), components)
    mine = closure(done.components, components)
    return [name for name in reversed(mine) if name not in wanted and name not in known_before]


def ended_before(
    folder: Path, seed: int, verdict: Outcome, played: Mapping[str, Any] | None = None
) -> Mapping[str, Any] | None:
    """report.json in that folder, where such a drill of this code ended there with that verdict; else None."""
    try:
        found = json.loads((folder / REPORT_JSON).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    wanted = {"verdict": verdict.value, "seed": seed, "commit": commit_of_code(), **(played or {})}
    return found if isinstance(found, dict) and all(found.get(name) == wanted[name] for name in wanted) else None
