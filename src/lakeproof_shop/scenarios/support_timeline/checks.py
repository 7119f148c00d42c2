"""Checks of the scenario support-timeline."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import httpx

from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.tries import PAUSE_SECONDS, ask_again
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.stack.database_rows import rows_of

SERVICE = "support-service"

NEWEST = "SELECT id FROM cases WHERE order_id IS NOT NULL ORDER BY id DESC LIMIT 10"

CALL_SECONDS = 15.0

P95_SECONDS = 0.5

LOOKS = 3


@dataclass(frozen=True)
class Look:
    """One look at a case. served, anew: its timeline as served, and after a refresh. took: seconds of each answer.
    age: the higher age of the two served answers, in seconds from `collected_at` to the answer.
    """

    case: int
    served: dict[str, Any]
    anew: dict[str, Any]
    took: tuple[float, ...]
    age: float

    @property
    def is_whole(self) -> bool:
        """True where neither timeline lacks a source."""
        return bool(self.served["complete"] and self.anew["complete"])


class TimelinesServed(Check):
    """Timelines are whole, quick, and not older than they say.

    Timelines are whole and quick, and none is older than it says: what support shows of the newest cases.

    Shoppers have stopped when this is verified, so the timeline that is served and the one that is collected anew
    must have the same entries. The check changes no data: a refresh makes support collect its cached timeline anew.
    """

    def baseline(self, context: CheckContext) -> Baseline:
        """The claim holds for all cases; there may be none yet. Shoppers buy, so entries may differ."""
        return Baseline(_verdict(context, wanted=0, at_rest=False))

    def verify(self, context: CheckContext, before: Baseline) -> Verdict:
        """The claim holds, and there is at least one case."""
        return _verdict(context, wanted=1, at_rest=True)


def _verdict(context: CheckContext, wanted: int, *, at_rest: bool, refused_before: bool = False) -> Verdict:
    stack = context.stack
    try:
        cases = [int(row[0]) for row in rows_of(stack, "support", NEWEST)]
        with httpx.Client(base_url=stack.url(SERVICE), timeout=CALL_SECONDS, trust_env=False) as client:
            ttl = stack.settings.support.timeline_cache_ttl_seconds
            looks = ask_again(
                lambda: [settled(partial(_look, client, case)) for case in cases],
                lambda seen: is_slow_and_nothing_else(seen, ttl, at_rest=at_rest),
                context.deadline,
            )[-1]
    except httpx.HTTPStatusError as error:
        # Before the fault the service may have just started, and is looked at again. After it one refusal may be a
        # slow moment, and two a second apart are not.
        refuses = at_rest and error.response.is_server_error
        if refuses and not refused_before:
            context.deadline.pause(PAUSE_SECONDS)
            return _verdict(context, wanted, at_rest=at_rest, refused_before=True)
        return Verdict(TimelinesServed.summary, Outcome.FAILED if refuses else Outcome.UNKNOWN, f"{SERVICE}: {error}")
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        return Verdict(TimelinesServed.summary, Outcome.UNKNOWN, f"{SERVICE}: {type(error).__name__}: {error}")
    return judge(looks, ttl, wanted, at_rest=at_rest)


def settled(look_at: Callable[[], Look]) -> Look:
    """The last of up to LOOKS looks at a case, with the highest age of all of them. It looks again only where the two
    timelines differ because something happened between them, such as a parcel that was shipped. Any other difference
    stands: then the served timeline was wrong, and the refresh has mended it.
    """
    ages: list[float] = []
    for _ in range(LOOKS):
        look = look_at()
        ages.append(look.age - max(look.took))
        if look.served["entries"] == look.anew["entries"] or not _changed_meanwhile(look):
            break
    return replace(look, age=max(ages) + max(look.took))


def _changed_meanwhile(look: Look) -> bool:
    """True where the new timeline has an entry from after the served one was collected."""
    since = datetime.fromisoformat(look.served["collected_at"])
    return any(datetime.fromisoformat(entry["at"]) >= since for entry in look.anew["entries"])


def _look(client: httpx.Client, case: int) -> Look:
    took = []

    def timed(method: str, path: str) -> Any:
        started = time.perf_counter()
        answer = client.request(method, path).raise_for_status().json()
        took.append(time.perf_counter() - started)
        return answer

    path = f"/support/cases/{case}"
    served = timed("GET", f"{path}?includeTimeline=true")["timeline"]
    age = time.time() - datetime.fromisoformat(served["collected_at"]).timestamp()
    anew = timed("POST", f"{path}/timeline/refresh")
    again = timed("GET", f"{path}?includeTimeline=true")["timeline"]
    # The second answer is likely to come from the cache, and only a cached answer can be too old.
    age_again = time.time() - datetime.fromisoformat(again["collected_at"]).timestamp()
    return Look(case, served, anew, tuple(took), max(age, age_again))


def _p95(looks: Sequence[Look]) -> float:
    """The 95th percentile of the answers' seconds; 0 without an answer."""
    took = sorted(seconds for look in looks for seconds in look.took)
    return took[min(len(took) - 1, int(len(took) * 0.95))] if took else 0.0


def is_slow_and_nothing_else(looks: Sequence[Look], ttl_seconds: float, *, at_rest: bool) -> bool:
    """True where the answers are whole and current but slow: a busy machine may be the reason."""
    return _p95(looks) >= P95_SECONDS and not any(
        not look.is_whole or is_old(look, ttl_seconds) or (at_rest and is_other(look)) for look in looks
    )


def is_old(look: Look, ttl_seconds: float) -> bool:
    """True where the timeline was cached for longer than its TTL."""
    return look.age > ttl_seconds + max(look.took)


def is_other(look: Look) -> bool:
    """True where the timeline after a refresh has other entries than the served one."""
    return bool(look.served["entries"] != look.anew["entries"])


def judge(looks: Sequence[Look], ttl_seconds: float, wanted: int, *, at_rest: bool) -> Verdict:
    """wanted: the least number of cases. at_rest: nobody changes anything, so both timelines must be equal."""
    p95 = _p95(looks)
    cut = [look for look in looks if not look.is_whole]
    old = [look for look in looks if is_old(look, ttl_seconds)]
    other = [look for look in looks if at_rest and is_other(look)]
    numbers = {
        "timelines": float(len(looks)),
        "p95_seconds": round(p95, 3),
        "incomplete": float(len(cut)),
        "too_old": float(len(old)),
        "not_current": float(len(other)),
    }
    problems = [
        *([f"p95 is {p95:.2f} s, not below {P95_SECONDS:g}"] if p95 >= P95_SECONDS else []),
        *(f"case {look.case}: {_missing(look)}" for look in cut[:5]),
        *(f"case {look.case}: collected {look.age:.1f} s ago, kept for {ttl_seconds:g} s" for look in old[:5]),
        *(f"case {look.case}: a refresh tells other entries" for look in other[:5]),
    ]
    if problems:
        return Verdict(TimelinesServed.summary, Outcome.FAILED, "; ".join(problems), numbers)
    if len(looks) < wanted:
        return Verdict(TimelinesServed.summary, Outcome.UNKNOWN, "there is no case with an order to look at", numbers)
    return Verdict(
        TimelinesServed.summary,
        Outcome.PASSED,
        f"{len(looks)} cases, p95 {p95:.3f} s, all whole and current",
        numbers,
    )


def _missing(look: Look) -> str:
    sources = {**look.served["sources"], **look.anew["sources"]}
    away = [f"{name} {one['state']} ({one['why']})" for name, one in sources.items() if one["state"] != "ok"]
    return ", ".join(away) or "incomplete"
