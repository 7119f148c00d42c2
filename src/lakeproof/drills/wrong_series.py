"""A drill of every wrong fix on one stack, with a table of the checks that turned each down. Can be continued.

A wrong fix is turned down where its drill failed, a check that the truth names for it failed in the verify phase, and
nothing of the fault is left behind. A check that could not look turns nothing down. Neither does a claim that did not
hold yet while the drill waited for recovery: a true repair takes time too.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakeproof.checks.verdict import Outcome
from lakeproof.drills.drill_series import Between, ended_before, smallest_first, whole_seconds
from lakeproof.drills.report import REPORT_JSON, DrillReport, cell, write_both
from lakeproof.errors import LAST_SEEN
from lakeproof.proof.outcome import worst
from lakeproof.scenarios.catalog import Catalog
from lakeproof.scenarios.pages import table
from lakeproof.scenarios.scenario import Scenario
from lakeproof.scenarios.truth import WrongFix

WRONG_FIXES = "wrong"
HEAD = ("Scenario", "Wrong fix", "Turned down", "By", "Whole", "What was said")


def turned_down_by(report: Mapping[str, Any], named: Collection[str]) -> tuple[str, ...]:
    """Those of the named checks that failed in the verify phase, as the report names them. report: the content of
    report.json. named: ids of checks; the report numbers a check that its drill holds twice ("job_steady (2)").

    Empty where the fix was not carried out: the failed checks then tell of the fault alone.
    """
    if not_carried_out(report):
        return ()
    failed = [each["check"] for each in report["checks"] if each["outcome"] == Outcome.FAILED]
    return tuple(check for check in failed if check.partition(" (")[0] in named)


def not_carried_out(report: Mapping[str, Any]) -> list[str]:
    """The messages of steps that could not be done. A step that was done and then waited in vain does not count."""
    texts = [str(step["text"]) for step in report["mitigations"] if step["outcome"] != Outcome.PASSED]
    return [text for text in texts if LAST_SEEN not in text]


@dataclass(frozen=True)
class Tried:
    """A wrong fix of a scenario, played by one of its causes, and the content of its drill's report.json."""

    scenario: str
    fix: WrongFix
    report: Mapping[str, Any]

    @property
    def outcome(self) -> Outcome:
        """passed: the wrong fix was turned down, as it should be. failed: taken for a repair, or turned down for
        another reason. unknown: the drill's verdict is unknown, or the fix was not carried out.
        """
        if not_carried_out(self.report):
            return Outcome.UNKNOWN
        verdict = Outcome(self.report["verdict"])
        if verdict is Outcome.FAILED:
            return Outcome.PASSED if self.by and not self.report["residue"] else Outcome.FAILED
        return Outcome.UNKNOWN if verdict is Outcome.UNKNOWN else Outcome.FAILED

    @property
    def by(self) -> tuple[str, ...]:
        """The checks that the truth names for this fix and that failed."""
        return turned_down_by(self.report, self.fix.rejected_by)


@dataclass
class WrongSeries:
    """The results of the wrong fixes, in the order in which they were tried. `folder` holds one folder per drill."""

    folder: Path
    seed: int
    tried: list[Tried] = field(default_factory=list)

    @property
    def verdict(self) -> Outcome:
        """passed only where each wrong fix was turned down; unknown where none was tried."""
        return worst(each.outcome for each in self.tried)

    def as_json(self) -> dict[str, Any]:
        """The summary, with the path of each drill's full report."""
        return {
            "scenario": WRONG_FIXES,
            "seed": self.seed,
            "verdict": self.verdict.value,
            "wrong_fixes": [
                {
                    "scenario": each.scenario,
                    "fix": each.fix.id,
                    "turned_down": each.outcome.value,
                    "by": list(each.by),
                    "seconds": whole_seconds(each.report),
                    "reasons": each.report["reasons"],
                    "report": str(place(each.scenario, each.fix.id) / REPORT_JSON),
                }
                for each in self.tried
            ],
        }

    def lines(self) -> list[str]:
        """The table for people, in Markdown. "Whole": the drill's seconds."""
        down = sum(each.outcome is Outcome.PASSED for each in self.tried)
        title = f"# Wrong fixes: {self.verdict.value}, {down} of {len(self.tried)} turned down, seed {self.seed}"
        return [title, "", *table(HEAD, [_cells(each) for each in self.tried])]

    def write(self) -> None:
        """Write report.json and report.md into `folder`. Raises: TerminalError where that fails."""
        write_both(self.folder, self.as_json(), "\n".join(self.lines()) + "\n", self.verdict)


def _cells(each: Tried) -> list[str]:
    said = [f"{one['check']}: {one['summary']}" for one in each.report["checks"] if one["check"] in each.by]
    return [
        each.scenario,
        each.fix.id,
        {Outcome.PASSED: "yes", Outcome.FAILED: "NO"}.get(each.outcome, each.outcome.value),
        ", ".join(each.by),
        f"{whole_seconds(each.report):.0f}",
        cell("; ".join(said or not_carried_out(each.report)) or (each.report["reasons"] or [""])[-1]),
    ]


def place(scenario: str, fix: str) -> Path:
    """The folder of that wrong fix's drill, relative to the series' folder."""
    return Path(scenario) / fix


def wrong_fixes(catalog: Catalog) -> Iterator[tuple[Scenario, WrongFix]]:
    """Every wrong fix of every scenario and cause, except those that lose data: they would spoil the stack for later
    drills. The order is that of `drill all` (fewest components first).
    """
    by_name = {each.name: each for each in catalog.played}
    for name in smallest_first({name: each.components for name, each in by_name.items()}):
        scenario = by_name[name]
        for fix in catalog.truth(scenario).wrong_fixes:
            if not fix.loses_data:
                yield scenario, fix


def run_wrong_fixes(
    catalog: Catalog,
    folder: Path,
    seed: int,
    run: Callable[[Scenario, WrongFix, Path], DrillReport],
    between: Between = lambda done, others: None,
) -> WrongSeries:
    """Call `run` for each wrong fix, and write the summary after each.

    A wrong fix is skipped where `folder` holds the report of this commit and seed in which it was turned down.
    """
    series = WrongSeries(folder, seed)
    all_of_them = list(wrong_fixes(catalog))
    for number, (scenario, fix) in enumerate(all_of_them, 1):
        to = folder / place(scenario.name, fix.id)
        before = ended_before(to, seed, Outcome.FAILED)
        tried = Tried(scenario.name, fix, before) if before is not None else None
        if tried is None or tried.outcome is not Outcome.PASSED:
            tried = Tried(scenario.name, fix, run(scenario, fix, to).as_json())
            left = [each.name for each, _ in all_of_them[number:]]
            if left:
                between(scenario.name, [each.name for each, _ in all_of_them if each is not scenario] + left)
        series.tried.append(tried)
        series.write()
    return series
