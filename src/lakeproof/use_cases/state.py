"""How fresh the data of a use case are now, as Prometheus knows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lakeproof.errors import CouldNotLook
from lakeproof.probes import prometheus
from lakeproof.stack.stack import Stack
from lakeproof.use_cases.use_case import UseCase

type State = Literal["fresh", "late", "unknown"]


@dataclass(frozen=True)
class Freshness:
    """One look at a use case.

    age_seconds: the age of the oldest of its databases; None where no age is known.
    ages: database → seconds since its newest heartbeat on `main`. A database that is not published is missing.
    why: why Prometheus could not be asked, or which databases are not published; "" where all ages are known.
    """

    use_case: str
    state: State
    age_seconds: float | None
    target_seconds: int
    ages: Mapping[str, float]
    why: str


def look(stack: Stack, use_case: UseCase) -> Freshness:
    """How old the data are now. Where Prometheus does not answer, the state is unknown, and nothing is raised."""
    try:
        answer = prometheus.instant(stack, use_case.freshness)
    except CouldNotLook as error:
        return judge(use_case, {}, f"Prometheus: {error.what}")
    return judge(use_case, {labels["database"]: age for labels, age in answer})


def judge(use_case: UseCase, ages: Mapping[str, float], why: str = "") -> Freshness:
    """late: the data of one database are older than the target. unknown: none are, and one database has no age."""
    missing = [name for name in use_case.databases if name not in ages]
    oldest = max(ages.values(), default=None)
    state: State = "unknown" if missing else "fresh"
    if oldest is not None and oldest > use_case.target_seconds:
        state = "late"
    if missing and not why:
        why = f"nothing of {', '.join(missing)} is published"
    return Freshness(use_case.id, state, oldest, use_case.target_seconds, dict(ages), why)
