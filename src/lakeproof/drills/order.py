"""The options of `lakeproof drill` as an Order, and the Program made of them: which drills, which steps, how long.

Every mistake in an order is reported before anything is started.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lakeproof.checks import restarts
from lakeproof.diagnosis.cause import Step
from lakeproof.drills.blind import BLIND, PAIRS, draw, draw_pairs
from lakeproof.drills.drill_series import ALL, smallest_first
from lakeproof.drills.healthy_drill import HEALTHY, least_minutes
from lakeproof.drills.other_repairs import REPAIRS, OtherRepair, other_repairs
from lakeproof.drills.plan import DrillPlan, make_plan
from lakeproof.drills.run import TIMING_FACTOR
from lakeproof.drills.wrong_series import WRONG_FIXES
from lakeproof.errors import InvalidInput
from lakeproof.observability.durations import parse_duration
from lakeproof.observability.rules import load_rules
from lakeproof.observability.timing import Timing
from lakeproof.scenarios.catalog import ALERTS_FILE, Catalog, check_step
from lakeproof.scenarios.scenario import CAUSE_SIGN, Scenario
from lakeproof.unknown_name import unknown_name

HEALTHY_MINUTES = 5.0
PAIR_ROUNDS = 20
LEAST_AFTERWARDS = 60.0
SERIES = (ALL, REPAIRS, PAIRS, WRONG_FIXES)


@dataclass(frozen=True)
class Order:
    """The command's argument and options; None, False and 0 stand for options that were not given.

    name: a scenario, several joined by +, one of SERIES, BLIND or HEALTHY.
    """

    name: str
    cause: str | None = None
    all_causes: bool = False
    seed: int = 7
    fix: str | None = None
    rounds: int | None = None
    minutes: float | None = None
    near_misses: bool = False
    blind: bool = False
    recover_seconds: float | None = None
    afterwards: float = 0.0
    timing: Timing | None = None

    @property
    def is_series(self) -> bool:
        """True where the order is for many drills one after another."""
        return self.name in SERIES

    @property
    def is_of_one(self) -> bool:
        """True where the order names exactly one scenario."""
        return self.name not in (*SERIES, BLIND, HEALTHY) and "+" not in self.name

    @property
    def is_blind(self) -> bool:
        """True where nobody may learn what is played before the drill's end."""
        return self.blind or self.name == BLIND

    @property
    def in_words(self) -> str:
        """The order in words, for the table of results."""
        flags = {
            "--causes": self.all_causes,
            "--blind": self.is_blind,
            f"--rounds {self.rounds}": self.rounds,
            f"--recover-seconds {self.recover_seconds}": self.recover_seconds,
            f"--afterwards {self.afterwards:g}": self.afterwards,
            f"--timing {self.timing}": self.timing,
        }
        return " ".join((self.name, *(flag for flag, given in flags.items() if given)))


@dataclass(frozen=True)
class Program:
    """The drills that an order asks for.

    drills: their names, in the order in which they are played.
    repairs: for `drill repairs`, the scenario and the steps to run, by drill name.
    steps: run in the place of the diagnosed repair; None: run the diagnosed repair.
    whole: all scenarios at once, as `drill healthy` watches them.
    near_misses: what `drill healthy` injects. minutes: how long `drill healthy` watches.
    """

    order: Order
    catalog: Catalog
    drills: Sequence[str]
    repairs: Mapping[str, OtherRepair]
    steps: tuple[Step, ...] | None
    whole: DrillPlan
    near_misses: Sequence[Step]
    minutes: float

    def plan(self, drill: str) -> DrillPlan:
        """The plan of the drill of that name. Raises: InvalidInput for a wrong name."""
        scenario = self.repairs[drill].scenario.name if drill in self.repairs else drill
        return plan_of(self.catalog, scenario, self.order.seed)


def program_of(order: Order, catalog: Catalog, *, external: bool) -> Program:
    """The program of an order. external: whether the servers are somebody else's. Raises: InvalidInput."""
    if order.cause is not None and not order.is_of_one:
        raise InvalidInput("it is of one scenario", where="--cause", next_action="name that scenario alone")
    if order.fix is not None and not order.is_of_one:
        raise InvalidInput("it mends one scenario", where="--fix", next_action="name that scenario alone")
    if order.cause is not None:
        by_cause = catalog.scenario(order.name).by_cause(order.cause.replace("-", "_"))
        order = replace(order, name=by_cause.name, cause=None)
    if order.all_causes and order.name != ALL:
        raise InvalidInput("they are of all scenarios", where="--causes", next_action=f"it goes with {ALL} alone")
    whole = plan_of(catalog, ALL, order.seed)
    misses = [miss for part in whole.parts for miss in part.near_misses] if order.near_misses else []
    repairs = other_repairs(catalog) if order.name == REPAIRS else {}
    drills = list(repairs) or _drills(order, catalog)
    found = Program(order, catalog, drills, repairs, None, whole, misses, 0.0)
    # Look up the names before the options are judged: a misspelt name may be why an option does not fit.
    plans = [found.plan(each) for each in drills if each not in (HEALTHY, WRONG_FIXES)]
    if order.afterwards:
        _require_afterwards(order, plans, external=external)
    _require_fitting_options(order, external=external)
    if order.timing == "production" and not order.is_series:
        _require_lasting(order, catalog, plans)
    steps = steps_of(catalog, catalog.scenario(order.name), order.fix) if order.fix is not None else None
    return replace(found, steps=steps, minutes=_minutes(order, whole, misses))


def _drills(order: Order, catalog: Catalog) -> list[str]:
    if order.name == ALL:
        played = catalog.played if order.all_causes else catalog.scenarios.values()
        return smallest_first({one.name: one.components for one in played})
    if order.name == PAIRS:
        pairs = draw_pairs(catalog, order.seed, order.rounds or PAIR_ROUNDS)
        return smallest_first({pair: plan_of(catalog, pair, order.seed).components for pair in pairs})
    return [order.name]


def _require_fitting_options(order: Order, *, external: bool) -> None:
    """Refuse an option that has no effect on this order. Raises: InvalidInput."""
    alone = "it goes with {} alone"
    refusals = (
        (
            "--minutes",
            order.minutes is not None and order.name != HEALTHY,
            "a scenario takes as long as it takes",
            alone.format(HEALTHY),
        ),
        (
            "--near-misses",
            order.near_misses and order.name != HEALTHY,
            "a scenario's drill has its own fault",
            alone.format(HEALTHY),
        ),
        ("--near-misses", order.near_misses and order.blind, "each is named as it goes in", "leave --blind out"),
        ("--near-misses", order.near_misses and external, "some slow our own processes down", "leave it out"),
        (
            "--rounds",
            order.rounds is not None and order.name != PAIRS,
            "nothing is drawn so often",
            alone.format(PAIRS),
        ),
    )
    for option, refused, why, instead in refusals:
        if refused:
            raise InvalidInput(why, where=option, next_action=instead)


def _minutes(order: Order, whole: DrillPlan, misses: Sequence[Step]) -> float:
    """How many minutes `drill healthy` watches. Raises: InvalidInput where the near misses need more than given."""
    least = least_minutes(whole, misses, TIMING_FACTOR[order.timing or "drill"]) if order.near_misses else 0.0
    minutes = max(HEALTHY_MINUTES, least) if order.minutes is None else order.minutes
    if minutes < least:
        raise InvalidInput(
            f"{len(misses)} near misses need {least:g}: each may take as long to tell as any fault",
            where="--minutes",
            next_action="give it more, or leave it out",
        )
    return minutes


def _require_afterwards(order: Order, plans: Sequence[DrillPlan], *, external: bool) -> None:
    """Refuse `--afterwards` where it proves nothing. plans: empty where nothing is repaired. Raises: InvalidInput."""
    check = restarts.SurvivesRestart.id
    unnamed = [
        "the drawn scenario" if order.name == BLIND else plan.id
        for plan in plans
        if check not in {step.id for step in plan.checks}
    ]
    if not plans:
        why = "nothing is mended that could stay well"
    elif external:
        why = "the processes are not ours to kill"
    elif order.timing == "production":
        why = "windows of production are longer than it looks"
    elif order.afterwards < LEAST_AFTERWARDS:
        why = f"{order.afterwards:g} s prove nothing, {LEAST_AFTERWARDS:g} at least"
    elif unnamed:
        why = f"{', '.join(unnamed)} does not say by {check} which part to kill"
    else:
        return
    raise InvalidInput(why, where="--afterwards", next_action="leave it out, or change that")


def _require_lasting(order: Order, catalog: Catalog, plans: Sequence[DrillPlan]) -> None:
    """Refuse a fault that ends by itself before its alert can fire. A series is not asked: there, such a drill fails.

    Raises: InvalidInput; as `load_rules`.
    """
    for part in (part for plan in plans for part in plan.parts):
        seconds = check_step("fault", catalog.faults, part.fault, part.id).lasts()
        if seconds is None:
            continue
        rules = load_rules(part.id, part.folder / ALERTS_FILE).alerts
        # An alert whose rule is not in the scenario's own file counts as waiting 0 s, for its wait is not known here.
        waits = min((parse_duration(rule.for_) / 1000 for rule in rules if rule.alert in part.alerts), default=0.0)
        if seconds <= waits:
            name = "the drawn scenario" if order.is_blind else part.name
            told = f"after {seconds:.0f} s, and its alert waits {waits:.0f} s"
            raise InvalidInput(
                f"the fault of {name} ends by itself {'before its alert can fire' if order.is_blind else told}",
                where="--timing",
                next_action="leave --timing production out",
            )


def plan_of(catalog: Catalog, name: str, seed: int) -> DrillPlan:
    """The plan of the scenario of that name, of several joined by +, of `all` at once, or of what the seed draws.

    Raises: InvalidInput.
    """
    if name == ALL:
        return DrillPlan(tuple(catalog.scenarios.values()), calm=True)
    if name == BLIND:
        return draw(catalog, seed)
    if "+" not in name and name.partition(CAUSE_SIGN)[0] not in catalog.scenarios:
        raise unknown_name("scenario", name, (*catalog.scenarios, ALL, REPAIRS, WRONG_FIXES, PAIRS, BLIND, HEALTHY))
    return make_plan([catalog.scenario(part.strip()) for part in name.split("+")])


def steps_of(catalog: Catalog, scenario: Scenario, fix: str) -> tuple[Step, ...]:
    """The steps that `--fix` names: a wrong fix of the scenario, its accepted repair of one step, or any single step
    that needs no arguments.

    Raises: InvalidInput.
    """
    truth = catalog.truth(scenario)
    identifier = fix.replace("-", "_")
    wrong = truth.wrong_fix(identifier)
    if wrong is not None:
        return wrong.steps
    for repair in truth.accepted_repairs:
        if [step.id for step in repair] == [identifier]:
            return repair
    if identifier not in catalog.steps:
        known = [each.id for each in truth.wrong_fixes]
        alone = [
            name
            for name, each in catalog.steps.items()
            if not any(field.is_required() for field in each.model_fields.values())
        ]
        raise InvalidInput(
            f"no fix {fix!r}",
            where="--fix",
            next_action=f"a wrong fix ({', '.join(known)}) or one step ({', '.join(alone)})",
        )
    step = Step(identifier)
    check_step("step", catalog.steps, step, "--fix")
    return (step,)
