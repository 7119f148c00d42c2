"""One look at the published lake: Nessie's history and branches, the publisher's audits, the newest check."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lakeproof.errors import LakeproofError
from lakeproof.incidents.acts import CHECK
from lakeproof.incidents.drill_cards import reports_of
from lakeproof.incidents.jobs import Jobs
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import DatabaseState, PublishedCommit
from lakeproof.lake.publish.main_branch import branches
from lakeproof.probes.prometheus import instant
from lakeproof.proof.findings import Wrong
from lakeproof.stack.stack import Stack

COMMITS = 30
AUDIT = "lakeproof_publish_full_audit_timestamp_seconds"
FROZEN = "lakeproof_publish_frozen"
AUDITS = "lakeproof_publish_full_audits_total"


@dataclass(frozen=True)
class Branch:
    """A branch of Nessie: its head, and database → the newest published state in it."""

    name: str
    hash: str
    states: Mapping[str, DatabaseState]


@dataclass(frozen=True)
class DataCheck:
    """What a check of the data found.

    scenario: the drill whose last check it was; "" where somebody had the data compared on an incident's page.
    data: counts by name, such as lost, stale or oversold.
    incident: the incident on whose page the data were compared; "" for a drill.
    """

    scenario: str
    verdict: str
    at: datetime
    data: Mapping[str, int | None]
    incident: str = ""


@dataclass(frozen=True)
class LakeLook:
    """One look at the published lake.

    audited_at: when the last full audit that kept up began, in the database for which that is longest ago.
    audits: outcome → how many full audits ended so.
    frozen: databases whose new states an audit keeps off main.
    unseen: what could not be looked at, in words.
    """

    at: datetime
    commits: tuple[PublishedCommit, ...] = ()
    branches: tuple[Branch, ...] = ()
    audited_at: datetime | None = None
    audits: Mapping[str, int] = field(default_factory=dict)
    frozen: tuple[str, ...] = ()
    check: DataCheck | None = None
    unseen: tuple[str, ...] = ()


def look_at_lake(stack: Stack) -> LakeLook:
    """Look now. What gives no answer is told in `unseen`."""
    unseen: list[str] = []
    commits: tuple[PublishedCommit, ...] = ()
    found: tuple[Branch, ...] = ()
    try:
        commits = tuple(history.log(stack, COMMITS))
        found = tuple(Branch(one.name, one.hash, states) for one, states in branches(stack))
    except LakeproofError as error:
        unseen.append(error.message)
    audited_at: datetime | None = None
    audits = Counter[str]()
    frozen: list[str] = []
    try:
        for labels, value in instant(stack, f"{AUDIT} or {FROZEN} or {AUDITS}"):
            name = labels.get("__name__")
            if name == AUDIT:
                at = datetime.fromtimestamp(value, UTC)
                audited_at = at if audited_at is None else min(at, audited_at)
            elif name == AUDITS:
                audits[labels["outcome"]] += round(value)
            elif value:
                frozen.append(labels["database"])
    except LakeproofError as error:
        unseen.append(error.message)
    return LakeLook(
        datetime.now(UTC),
        commits,
        found,
        audited_at,
        audits,
        tuple(frozen),
        newest_check(stack),
        tuple(unseen),
    )


def newest_check(stack: Stack) -> DataCheck | None:
    """The last check of the newest drill, or a newer one on an incident's page; None where there is neither."""
    found = (_drills_check(stack.reports_dir), _pages_check(Jobs(stack)))
    return max((one for one in found if one is not None), key=lambda one: one.at, default=None)


def _pages_check(jobs: Jobs) -> DataCheck | None:
    """The newest comparison that came to an end, as `check --json` printed it. Each count is the worst engine's."""
    for job in jobs.all(CHECK):
        try:
            told: dict[str, Any] = job.printed()
            data = {name: told[name] for name in ("acknowledged", "oversold", "unclear")}
            for wrong in Wrong:
                found: Counter[str] = Counter()
                for table in told["tables"]:
                    found[table["engine"]] += table[wrong]
                data[wrong.value] = max(found.values(), default=None)  # None: no table was read, nothing was judged
            return DataCheck("", str(told["verdict"]), datetime.fromisoformat(told["at"]), data, job.about)
        except (ValueError, KeyError, TypeError):
            continue
    return None


def _drills_check(reports: Path) -> DataCheck | None:
    newest = sorted(reports_of(reports).items(), key=lambda report: report[1], reverse=True)
    for path, changed in newest[:5]:
        try:
            told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            counts = {key: value for key, value in told["data"].items() if isinstance(value, int | None)}
            at = datetime.fromtimestamp(changed / 1e9, UTC)
            return DataCheck(str(told["scenario"]), str(told["verdict"]), at, counts)
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            continue
    return None
