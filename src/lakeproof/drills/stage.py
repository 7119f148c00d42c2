"""What every drill has around it: a stack that is up and calm, shoppers, the claims before and after."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lakeproof.checks.check import Baseline, CheckContext
from lakeproof.checks.verdict import Outcome, worst
from lakeproof.deadline import Deadline
from lakeproof.drills.cleaning import look_inventory, remove_old_faults
from lakeproof.drills.journal import Journal
from lakeproof.drills.phases import Phase
from lakeproof.drills.plan import DrillPlan
from lakeproof.drills.report import DrillReport
from lakeproof.drills.settling import SETTLE_SECONDS, await_calm, take_known_baselines
from lakeproof.drills.shopping import await_orders, stop_shoppers
from lakeproof.drills.verification import BoundCheck, verify
from lakeproof.drills.world import World
from lakeproof.errors import LakeproofError
from lakeproof.probes.reading import Reading, Value
from lakeproof.scenarios.causes import Step

# `detect` and `quiet` of the budgets are multiplied by this: production rules have longer windows.
TIMING_FACTOR = {"drill": 1, "production": 12}
PUBLISHED = ("published-hash", "published-checkpoint")


@dataclass(frozen=True)
class DrillOptions:
    """How to run it.

    fix: the steps to run instead of the diagnosed repair. blind: name nothing before the review.
    recover_seconds: instead of the plan's budget, for a fix that is not expected to help.
    """

    seed: int
    folder: Path
    run: str
    fix: tuple[Step, ...] | None = None
    blind: bool = False
    recover_seconds: float | None = None


@dataclass
class Stage:
    """checks: the claims. touches: components that may be disturbed. baselines, inventory: filled by `prepare`."""

    world: World
    plan: DrillPlan
    options: DrillOptions
    report: DrillReport
    journal: Journal
    checks: tuple[BoundCheck, ...]
    touches: tuple[str, ...]
    baselines: Mapping[str, Baseline]
    inventory: Mapping[str, Reading]

    @property
    def factor(self) -> int:
        """What the stack's timing makes of `detect` and `quiet`."""
        return TIMING_FACTOR[self.world.timing]

    def tell(self, phase: Phase) -> Callable[[str], None]:
        """A teller for lines of that phase."""
        return lambda text: self.journal.tell(phase, text)

    def context(self, seconds: float, phase: Phase) -> CheckContext:
        """What a check may know in that phase; looking ends after so long."""
        return CheckContext(
            stack=self.world.stack,
            deadline=Deadline(seconds),
            components=self.touches,
            alerts=self.plan.alerts,
            evidence=self.plan.evidence,
            quiet_seconds=self.plan.budgets.quiet * self.factor,
            run=self.options.run,
            scenario_dirs=self.plan.folders,
            progress=self.journal.seldom(phase),
        )

    def prepare(self) -> tuple[Outcome, str]:
        """The baseline: old faults out, what is missing started, every claim seen to hold, shoppers let in."""
        journal = self.journal
        try:
            # First, since a component that an old fault stopped would not become healthy.
            remove_old_faults(self.world, journal)
        except LakeproofError as error:
            journal.write(Phase.BASELINE, f"tried again once the stack is up: {error.message}")
        started = self.world.bring_up(self.plan.components, self.tell(Phase.BASELINE))
        remove_old_faults(self.world, journal)
        journal.write(Phase.BASELINE, f"up: {len(started)} components started", started=list(started))
        settled = self.world.traffic.settle_leftovers()
        if settled:
            journal.write(Phase.BASELINE, f"{settled} calls of shoppers who were killed are settled")
        if not await_calm(self.checks, self.context(SETTLE_SECONDS, Phase.BASELINE)):
            journal.tell(Phase.BASELINE, "the stack is not calm; the checks will say why")
        # Before the shoppers come: then the engines stand still, and digests that agree need no second look.
        self.baselines = take_known_baselines(
            self.checks,
            lambda: self.context(self.plan.budgets.verify, Phase.BASELINE),
            self.tell(Phase.BASELINE),
            SETTLE_SECONDS,
        )
        self.report.published_before = self.published()
        # Not sooner: a stack that has just started still makes things of its own (a topic with its first use).
        self.inventory = look_inventory(self.world)
        verdicts = {name: each.verdict for name, each in self.baselines.items()}
        failing = [
            f"{name}: {verdict.summary}"
            for name, verdict in verdicts.items()
            if verdict.outcome is not Outcome.PASSED
        ]
        if failing:
            return worst(list(verdicts.values())), "; ".join(failing)
        traffic = self.plan.traffic
        self.world.traffic.start(traffic.rate, self.options.seed, self.options.run)
        journal.write(Phase.BASELINE, f"shoppers ask {traffic.rate:g} times a second", run=self.options.run)
        Deadline(traffic.seconds_before).pause(traffic.seconds_before)
        return Outcome.PASSED, ""

    def judge(self) -> tuple[Outcome, str]:
        """Shoppers stop once enough orders are acknowledged; then every claim, each with its numbers."""
        await_orders(self.world.traffic, self.plan.traffic.orders, self.plan.budgets.verify, self.journal)
        stop_shoppers(self.world.traffic, self.journal)
        context = self.context(self.plan.budgets.verify, Phase.VERIFY)
        judged = verify(self.checks, context, self.baselines, self.tell(Phase.VERIFY))
        self.report.checks = judged
        self.report.published_after = self.published()
        outcomes = {each.check: each.verdict.outcome.value for each in judged}
        numbers = {each.check: each.verdict.numbers for each in judged}
        self.journal.write(Phase.VERIFY, f"{len(judged)} claims judged", outcomes=outcomes, numbers=numbers)
        failing = [
            f"{each.check}: {each.verdict.summary}" for each in judged if each.verdict.outcome is not Outcome.PASSED
        ]
        return worst([each.verdict for each in judged]), "; ".join(failing)

    def published(self) -> tuple[Value, Value]:
        """The newest published hash and its checkpoint; None where they cannot be looked at."""
        known = self.world.catalog.probes
        found = self.world.look(known[name] for name in PUBLISHED if name in known)
        values = [found[name].value if name in found else None for name in PUBLISHED]
        return values[0], values[1]
