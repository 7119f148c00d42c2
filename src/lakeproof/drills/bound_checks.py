"""The checks of a scenario, run against a context: all baselines, those worth watching, at the end all of them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from lakeproof.arguments import Arguments
from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.drills.plan import DrillPlan
from lakeproof.errors import LakeproofError
from lakeproof.probes.reading import Reading
from lakeproof.scenarios.catalog import Catalog, check_step


@dataclass(frozen=True)
class BoundCheck:
    """A check with its arguments. `name`: its id, with a number where one drill makes the claim more than once."""

    check: Check
    arguments: Arguments
    name: str


@dataclass(frozen=True)
class Judged:
    """A bound check's name with its verdict."""

    check: str
    verdict: Verdict


def counted(judged: Judged) -> tuple[Reading, ...]:
    """The numbers of a verdict as readings, so that an RCA can point at each of them."""
    now = datetime.now(UTC)
    return tuple(
        Reading(f"{judged.check}.{name}", value, "", now, "check", judged.verdict.claim)
        for name, value in judged.verdict.numbers.items()
    )


def bind(plan: DrillPlan, catalog: Catalog) -> tuple[BoundCheck, ...]:
    """The plan's checks in their order, those that act at the end."""
    bound: list[BoundCheck] = []
    for step in plan.checks:
        again = sum(1 for each in bound if each.check.id == step.id)
        name = step.id if not again else f"{step.id} ({again + 1})"
        arguments = check_step("check", catalog.checks, step, plan.id)
        bound.append(BoundCheck(catalog.checks[step.id], arguments, name))
    return tuple(sorted(bound, key=lambda each: each.check.acts))


def take_baselines(
    checks: Iterable[BoundCheck], context: CheckContext, tell: Callable[[str], None]
) -> Mapping[str, Baseline]:
    """The baseline of each check, by its name. A check that cannot look gives an unknown verdict."""
    taken = {}
    for each in checks:
        try:
            taken[each.name] = each.check.baseline(context, each.arguments)
        except LakeproofError as error:
            taken[each.name] = Baseline(Verdict(each.check.claim, Outcome.UNKNOWN, error.message))
        verdict = taken[each.name].verdict
        tell(f"{each.name}: {verdict.outcome.value}, {verdict.summary}")
    return taken


def verify(
    checks: Iterable[BoundCheck],
    context: CheckContext,
    baselines: Mapping[str, Baseline],
    tell: Callable[[str], None],
) -> list[Judged]:
    """The verdict of each check. One that acts is only tried where every other claim held."""
    judged: list[Judged] = []
    for each in checks:
        if each.check.acts and any(done.verdict.outcome is not Outcome.PASSED for done in judged):
            verdict = Verdict(each.check.claim, Outcome.UNKNOWN, "not tried, since another claim did not hold")
        else:
            try:
                verdict = each.check.verify(context, each.arguments, baselines[each.name])
            except LakeproofError as error:
                verdict = Verdict(each.check.claim, Outcome.UNKNOWN, error.message)
        judged.append(Judged(each.name, verdict))
        tell(f"{each.name}: {verdict.outcome.value}, {verdict.summary}")
    return judged
