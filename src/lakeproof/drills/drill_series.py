"""Several drills one after another, and the table of how they went."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakeproof.checks.verdict import Outcome
from lakeproof.drills.report import REPORT_JSON, DrillReport, write_both
from lakeproof.proof.outcome import worst

ALL = "all"


@dataclass
class SeriesReport:
    """The reports of the drills in their order. `folder` holds one folder for each, named by its scenario."""

    folder: Path
    drills: list[DrillReport] = field(default_factory=list)

    @property
    def verdict(self) -> Outcome:
        """passed only where every drill passed; unknown where none was run."""
        return worst(drill.verdict for drill in self.drills)

    def as_json(self) -> dict[str, Any]:
        """The summary; each drill's whole report lies in a folder of its own."""
        return {
            "scenario": ALL,
            "verdict": self.verdict.value,
            "drills": [
                {
                    "scenario": drill.scenario,
                    "verdict": drill.verdict.value,
                    "root_cause": drill.root_cause,
                    "seconds": round(sum(record.seconds for record in drill.phases), 1),
                    "reasons": drill.reasons,
                    "report": str(Path(drill.scenario) / REPORT_JSON),
                }
                for drill in self.drills
            ],
        }

    def lines(self) -> list[str]:
        """The table for people, in Markdown."""
        rows = [f"# Drills: {self.verdict.value}", "", "| Scenario | Verdict | Seconds | Root cause | Why |"]
        rows.append("| --- | --- | --- | --- | --- |")
        for row in self.as_json()["drills"]:
            why = "; ".join(row["reasons"]).replace("|", "\\|").replace("\n", " ")
            rows.append(
                f"| {row['scenario']} | {row['verdict']} | {row['seconds']} | {row['root_cause'] or ''} | {why} |"
            )
        return rows

    def write(self) -> None:
        """Both files, in the series' own folder. Raises: TerminalError where that cannot be done."""
        write_both(self.folder, self.as_json(), "\n".join(self.lines()) + "\n", self.verdict)


def run_series(names: Iterable[str], folder: Path, run: Callable[[str, Path], DrillReport]) -> SeriesReport:
    """`run(name, its folder)` for each; a drill that fails does not keep the next one from being run.

    The summary is written after each, so that an interrupted series leaves what it has.
    """
    series = SeriesReport(folder)
    for name in names:
        series.drills.append(run(name, folder / name))
        series.write()
    return series
