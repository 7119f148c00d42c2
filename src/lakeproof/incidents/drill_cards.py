"""What the newest drill of a scenario showed: a card of its report.json, whoever ran it and from wherever."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from lakeproof.proof.findings import WRONG
from lakeproof.scenarios.scenario import CAUSE_SIGN

REPORT = "report.json"
ELSEWHERE = "elsewhere-"
JOIN_SIGN = "+"  # a drill of two scenarios at once is named A+B


@dataclass(frozen=True)
class DrillCard:
    """One drill, from `at` to `until`.

    detect, diagnose, repair: seconds; None where the phase was not reached.
    acknowledged: how many orders the shop had promised; None where the drill looked at no orders.
    wrong: counts that should be 0.
    by_fix: a given fix was run, not the diagnosed repair. A wrong fix must fail, and tells nothing of the runbook.
    """

    name: str
    scenarios: tuple[str, ...]
    verdict: str
    at: datetime
    until: datetime
    root_cause: str
    detect: float | None
    diagnose: float | None
    repair: float | None
    acknowledged: int | None
    wrong: tuple[tuple[str, int], ...]
    incident: str
    fired: tuple[str, ...]
    by_fix: bool = False


def reports_of(folder: Path) -> dict[Path, int]:
    """Every report in that folder, also those of the drills of a series, and in the folders that it links to; and
    when each was changed last, in ns.
    """
    changed = {}
    for path in _listed(folder):
        with suppress(FileNotFoundError):  # it was deleted after it was listed
            changed[path] = path.stat().st_mtime_ns
    return changed


def _listed(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        return
    yield from folder.rglob(REPORT)
    for link in folder.glob(f"{ELSEWHERE}*"):  # rglob follows no link, and a folder elsewhere may hold much else
        if link.is_symlink():
            yield from (*link.glob(REPORT), *link.glob(f"*/{REPORT}"))


def link_report(reports: Path, written_to: Path) -> None:
    """Link a folder elsewhere into which a report was written (`drill --report DIR`), so that the pages find it.

    Links that lead nowhere any more are removed. Raises: OSError, which is no reason not to drill.
    """
    target = written_to.resolve()
    if target.is_relative_to(reports.resolve()):
        return
    reports.mkdir(parents=True, exist_ok=True)
    for old in reports.glob(f"{ELSEWHERE}*"):
        if not old.exists():
            old.unlink()
    link = reports / f"{ELSEWHERE}{sha256(bytes(target)).hexdigest()[:16]}"
    link.unlink(missing_ok=True)
    link.symlink_to(target, target_is_directory=True)


class DrillCards:
    """The reports of one folder. A report that was read once is not read again while its file stays the same."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Path, tuple[int, DrillCard | None]] = {}

    def all(self) -> list[DrillCard]:
        """Every drill's card, the newest first."""
        found = {}
        for path, changed in reports_of(self._folder).items():
            known = self._known.get(path)
            found[path] = known if known and known[0] == changed else (changed, _read(path))
        self._known = found
        cards = [card for _, card in found.values() if card is not None]
        return sorted(cards, key=lambda card: card.at, reverse=True)

    def newest(self) -> Mapping[str, DrillCard]:
        """Scenario → the card of its newest drill that ran the diagnosed repair."""
        return newest_of(self.all())


def newest_of(cards: Iterable[DrillCard]) -> Mapping[str, DrillCard]:
    """Scenario → its first card; `cards` come the newest first. Drills that ran a given fix are passed over."""
    newest: dict[str, DrillCard] = {}
    for card in cards:
        for scenario in () if card.by_fix else card.scenarios:
            newest.setdefault(scenario, card)
    return newest


def _read(path: Path) -> DrillCard | None:
    """The card of one report; None for a series' summary, and for what is no report."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        phases = {phase["name"]: phase for phase in report["phases"]}
        fired = [alert for alert in report["alerts"] if alert["fired_after_seconds"] is not None]
        first = min((float(alert["fired_after_seconds"]) for alert in fired), default=None)
        data, last = report["data"], report["phases"][-1]
        return DrillCard(
            name=report["scenario"],
            scenarios=tuple(scenario for _, scenario in parts_of(report["scenario"])),
            verdict=report["verdict"],
            at=datetime.fromisoformat(report["phases"][0]["started_at"]),
            until=datetime.fromisoformat(last["started_at"]) + timedelta(seconds=float(last["seconds"])),
            root_cause=report["root_cause"] or "",
            detect=first,
            diagnose=_seconds(phases, "diagnose"),
            repair=_sum(_seconds(phases, "mitigate"), _seconds(phases, "recover")),
            acknowledged=data.get("acknowledged"),
            wrong=tuple((name, int(data[name])) for name in WRONG if data.get(name) is not None),
            incident=report["incident"] or "",
            fired=tuple(alert["name"] for alert in fired),
            by_fix=bool(report.get("fix")),
        )
    except (OSError, ValueError, AttributeError, KeyError, TypeError, IndexError):
        return None


def parts_of(name: str) -> list[tuple[str, str]]:
    """The parts of a drill's name (A, A:CAUSE, A+B): each as it is written, and the scenario that it names."""
    return [(part.strip(), part.partition(CAUSE_SIGN)[0].strip()) for part in name.split(JOIN_SIGN)]


def _seconds(phases: Mapping[str, Any], name: str) -> float | None:
    return float(phases[name]["seconds"]) if name in phases else None


def _sum(*seconds: float | None) -> float | None:
    given = [each for each in seconds if each is not None]
    return sum(given) if given else None
