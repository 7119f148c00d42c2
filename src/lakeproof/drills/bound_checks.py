"""A drill's checks with their arguments: bound once, looked at before the fault, judged after the repair."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lakeproof.checks import restarts
from lakeproof.checks.check import Baseline, Check, CheckContext, say_nothing
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.diagnosis.cause import Step
from lakeproof.drills.plan import DrillPlan
from lakeproof.drills.restarts import on_record
from lakeproof.errors import DeadlineExpired, LakeproofError
from lakeproof.probes.reading import Reading
from lakeproof.proof.outcome import worst
from lakeproof.scenarios.catalog import Catalog, check_step

LOOK_SECONDS = 1.0
AGAIN_SECONDS = 3.0


@dataclass(frozen=True)
class BoundCheck:
    """A check with its arguments. `name`: the check's id, with a number where the drill has that check twice."""

    check: Check
    name: str


@dataclass(frozen=True)
class Judged:
    """A bound check's name with its verdict."""

    check: str
    verdict: Verdict


def counted(judged: Judged) -> tuple[Reading, ...]:
    """The numbers of a verdict as readings, so that an RCA can point at each number."""
    now = datetime.now(UTC)
    return tuple(
        Reading(f"{judged.check}.{name}", value, "", now, "check", judged.verdict.claim)
        for name, value in judged.verdict.numbers.items()
    )


def bind(plan: DrillPlan, catalog: Catalog, afterwards: float = 0.0) -> tuple[BoundCheck, ...]:
    """The plan's checks: first those that only look, then those that act, last those that judge rows.

    afterwards: for this many seconds after each part that survives_restart names was killed, the check stays_well
    wants no alert. 0: that check is not added.
    """
    bound: list[BoundCheck] = []
    steps = list(plan.checks)
    if afterwards:
        repaired = dict.fromkeys(
            step.arguments["component"] for step in steps if step.id == restarts.SurvivesRestart.id
        )
        seconds = ("seconds", afterwards)
        steps += [Step(restarts.StaysWell.id, (("component", name), seconds)) for name in repaired]
    for step in steps:
        again = sum(1 for each in bound if each.check.id == step.id)
        name = step.id if not again else f"{step.id} ({again + 1})"
        bound.append(BoundCheck(check_step("check", catalog.checks, step, plan.id), name))
    return tuple(sorted(bound, key=lambda each: (each.check.judges_rows, each.check.acts)))


def is_unknown(verdict: Verdict) -> bool:
    """True where the check could not look."""
    return verdict.outcome is Outcome.UNKNOWN


def take_baselines(
    checks: Iterable[BoundCheck], context: CheckContext, tell: Callable[[str], None]
) -> Mapping[str, Baseline]:
    """The baseline of each check, by its name. A check that cannot look gives an unknown verdict."""
    taken = {}
    for each in checks:
        try:
            taken[each.name] = each.check.baseline(context)
        except LakeproofError as error:
            taken[each.name] = Baseline(Verdict(each.check.summary, Outcome.UNKNOWN, error.message))
        verdict = taken[each.name].verdict
        tell(f"{each.name}: {verdict.outcome.value}, {verdict.summary}")
    return taken


def verify(
    checks: Iterable[BoundCheck],
    context: CheckContext,
    baselines: Mapping[str, Baseline],
    tell: Callable[[str], None],
    *,
    by: str = "drill",
) -> list[Judged]:
    """The verdict of each check. A check that acts is only tried where every claim before it held.

    by: who stops components, as their fault records name it.
    """
    judged: list[Judged] = []
    for each in checks:
        if each.check.acts and any(done.verdict.outcome is not Outcome.PASSED for done in judged):
            verdict = Verdict(each.check.summary, Outcome.UNKNOWN, "not tried, since another claim did not hold")
        else:
            try:
                with on_record(context.stack, each.check.stops(), by=by):
                    verdict = each.check.verify(context, baselines[each.name])
            except LakeproofError as error:
                verdict = Verdict(each.check.summary, Outcome.UNKNOWN, error.message)
        judged.append(Judged(each.name, verdict))
        tell(f"{each.name}: {verdict.outcome.value}, {verdict.summary}")
    return judged


def await_calm(checks: Sequence[BoundCheck], context: CheckContext) -> bool:
    """Wait until the watched (quick) checks hold; False where they did not hold by the context's deadline."""
    watched = [each for each in checks if each.check.watched]

    def look() -> bool | None:
        taken = take_baselines(watched, context, say_nothing)
        return True if worst(each.verdict.outcome for each in taken.values()) is Outcome.PASSED else None

    if not watched:
        return True
    try:
        return context.deadline.wait_for("the stack to be calm", look, every=LOOK_SECONDS)
    except DeadlineExpired:
        return False


def take_known_baselines(
    checks: Sequence[BoundCheck],
    context: Callable[[], CheckContext],
    tell: Callable[[str], None],
    seconds: float,
    *,
    may_change: Callable[[Verdict], bool] = is_unknown,
) -> Mapping[str, Baseline]:
    """Every check's baseline. A check whose verdict may still change is asked again: a new lake, for example, has
    published nothing yet.

    `context` makes a new context for each round. No round begins after `seconds`.
    """
    taken = dict(take_baselines(checks, context(), tell))
    patience = Deadline(seconds)
    while not patience.expired:
        open_ones = [each for each in checks if may_change(taken[each.name].verdict)]
        if not open_ones:
            break
        patience.pause(AGAIN_SECONDS)
        taken |= take_baselines(open_ones, context(), tell)
    return taken
