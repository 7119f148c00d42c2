"""The hunt: one kind of corruption a round, planted, looked for by `check`, taken out, and looked for again.

The publisher's own audit runs on meanwhile. Damage that the audit sees freezes `main`, and with `main` frozen no
later check can judge. The hunt counts this, and releases `main` once the damage is out, as the person on duty would.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any, Protocol

from benchmarks.benchmark import Progress
from benchmarks.corruption.kind import Kind, Looking, NothingToPlantOn, Planted, Step
from lakeproof.deadline import Deadline
from lakeproof.proof.outcome import Outcome
from lakeproof.proof.report import CheckReport


class Found(StrEnum):
    """What `check` made of the damage in a round.

    WITHOUT_KEY: it failed, but named none of the planted keys. UNKNOWN: it could not judge; the round proves nothing.
    """

    WITH_KEY = "found"
    WITHOUT_KEY = "found without key"
    UNKNOWN = "unknown"
    MISSED = "missed"
    NOTHING = "nothing planted"


@dataclass(frozen=True)
class Round:
    """One round.

    what: the damage in words. found, told: what `check` made of it, and the first finding in words.
    clean_again: `check` passed after the damage was taken out; where it did not, `left` holds its finding.
    frozen: what the publisher's own audit found so that it froze `main`; "" where it did not freeze `main`.
    """

    number: int
    kind: str
    what: str
    found: Found
    told: str
    seconds: float
    clean_again: bool
    left: str = ""
    frozen: str = ""


class Changed(Looking, Protocol):
    """A stack's stores, to read and to change."""

    def do(self, steps: Sequence[Step], *, may_be_done: bool = False) -> None:
        """Do each step, in order. may_be_done: steps that are already done are fine; else they raise AlreadySo."""

    def frozen(self) -> str | None:
        """Why the publisher keeps new states off `main`; None where `main` moves."""

    def release(self) -> None:
        """Let `main` move again, as a person does who has looked at the finding."""


class Journal:
    """What was done, one JSON line each, so that a hunt continues a killed one and takes out the damage it left.

    rounds: the ended rounds. begun: True where the file has entries. left: the undo steps of a killed hunt's damage.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        whole, _, torn = (path.read_text() if path.is_file() else "").rpartition("\n")
        if torn:  # its writer was killed in the middle of a line
            os.truncate(path, path.stat().st_size - len(torn.encode()))
        entries = [json.loads(line) for line in whole.splitlines()]
        self.rounds = [
            Round(**{**entry["round"], "found": Found(entry["round"]["found"])})
            for entry in entries
            if "round" in entry
        ]
        self.begun = bool(entries)
        last = entries[-1] if entries else {}
        self.left: tuple[Step, ...] = tuple(Step.from_json(step) for step in last.get("planting", {}).get("undo", ()))

    def planting(self, planted: Planted) -> None:
        """Note what a round plants, before anything is changed."""
        self._add({"planting": asdict(planted)})

    def taken_out(self) -> None:
        """Note that the damage is out before its round has ended, so that no later hunt takes it out again."""
        self._add({"taken_out": True})

    def ended(self, round_: Round) -> None:
        """Note a round that has ended."""
        self.rounds.append(round_)
        self._add({"round": asdict(round_)})

    def _add(self, entry: Mapping[str, Any]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(json.dumps(entry) + "\n")


def deck(kinds: Sequence[Kind], seed: int, rounds: int) -> list[Kind]:
    """The kind that each round plants: all kinds in a random order by seed, then all in another order, and so on."""
    drawn: list[Kind] = []
    rng = Random(seed)
    while len(drawn) < rounds and kinds:
        drawn += rng.sample(list(kinds), len(kinds))
    return drawn[:rounds]


def judged(report: CheckReport, keys: Iterable[str]) -> tuple[Found, str]:
    """What the check of a corrupted stack made of the damage, and its first finding that names one of the keys.

    Where none does, the finding is its first one of all.
    """
    told = [
        f"{table.engine}.{table.table} {one.wrong}: {one.key}" for table in report.tables for one in table.findings
    ]
    across = [f"{claim.claim}: {key}" for claim in report.across if claim.violations for key in claim.keys]
    named = [text for text in (*told, *across) if any(_names(text, key) for key in keys)]
    if named:
        return Found.WITH_KEY, named[0]
    if report.outcome is Outcome.PASSED:
        return Found.MISSED, ""
    found = Found.UNKNOWN if report.outcome is Outcome.UNKNOWN else Found.WITHOUT_KEY
    return found, next(iter((*told, *across, *report.reasons)), "")


def _names(text: str, key: str) -> bool:
    """True where the text has the key as a whole word: k10 does not name k1."""
    place = text.find(key)
    while place >= 0:
        before, after = text[place - 1 : place], text[place + len(key) : place + len(key) + 1]
        if not (before.isalnum() or after.isalnum()):
            return True
        place = text.find(key, place + 1)
    return False


def in_words(report: CheckReport) -> str:
    """Why a check did not pass, in one line."""
    _, told = judged(report, ())
    return f"{report.outcome}: {told}"


def hunt(
    stores: Changed,
    check: Callable[[], CheckReport],
    kinds: Sequence[Kind],
    journal: Journal,
    seed: int,
    rounds: int,
    progress: Progress,
    seconds: float = float("inf"),
) -> list[str]:
    """Play the rounds that the journal does not have yet; gives the kinds that found nothing to plant on.

    No round begins after `seconds`, or after a round whose damage did not come out: every later round would find it.
    """
    deadline = Deadline(seconds)
    if journal.left:
        progress("taking out what an earlier hunt left")
        stores.do(journal.left, may_be_done=True)  # that hunt may have been killed before planting or while undoing
        journal.taken_out()
        release_if_frozen(stores)
    empty: list[str] = []
    for number, kind in enumerate(deck(kinds, seed, rounds), start=1):
        if number <= len(journal.rounds):
            continue
        if deadline.expired:
            break
        began = deadline.elapsed
        try:
            planted = kind.plant(stores, Random(f"{seed}/{number}"))
        except NothingToPlantOn as nothing:
            empty.append(f"{kind.name}: {nothing}")
            journal.ended(Round(number, kind.name, f"nothing to plant on: {nothing}", Found.NOTHING, "", 0.0, True))
            continue
        journal.planting(planted)
        frozen, is_planted = "", False
        try:
            stores.do(planted.do)
            is_planted = True
            found, told = judged(check(), planted.keys)
            if found in (Found.UNKNOWN, Found.MISSED) and (frozen := release_if_frozen(stores)):
                # With `main` frozen, the check may have looked at a state from before the damage: check again.
                found, told = judged(check(), planted.keys)
        finally:
            stores.do(planted.undo, may_be_done=not is_planted)
            journal.taken_out()
        frozen = release_if_frozen(stores) or frozen
        again = check()
        if again.outcome is not Outcome.PASSED and (late := release_if_frozen(stores)):
            # An audit that began before the damage was taken out may have frozen `main` after the first release.
            frozen, again = late, check()
        clean = again.outcome is Outcome.PASSED
        left = "" if clean else in_words(again)
        took = round(deadline.elapsed - began, 1)
        round_ = Round(number, kind.name, planted.what, found, told, took, clean, left, frozen)
        journal.ended(round_)
        audited = "; the audit froze main too" if frozen else ""
        progress(
            f"{number}: {kind.name}: {found}{audited}{'' if clean else f'; NOT clean again: {left}'} ({took:g} s)"
        )
        if not clean:
            break
    return empty


def release_if_frozen(stores: Changed) -> str:
    """Let `main` move again where an audit has frozen it; gives what that audit found, "" where `main` moves."""
    why = stores.frozen()
    if why is None:
        return ""
    stores.release()
    return why


def counts(rounds: Iterable[Round]) -> Counter[str]:
    """The number of rounds by Found, of false alarms, and of rounds in which the publisher's audit froze `main`."""
    played = list(rounds)
    found = Counter({str(each): 0 for each in Found} | {"false alarms": sum(not one.clean_again for one in played)})
    found["frozen by the audit"] = sum(bool(one.frozen) for one in played)
    found.update(str(one.found) for one in played)
    return found
