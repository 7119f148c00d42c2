"""What every drill has: options, the stack's lock (one drill at a time), baseline, shoppers, final verdicts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path

from lakeproof.checks.check import Baseline, CheckContext
from lakeproof.checks.verdict import Outcome
from lakeproof.deadline import Deadline
from lakeproof.diagnosis.cause import Step
from lakeproof.drills.bound_checks import BoundCheck, Judged, await_calm, take_known_baselines, verify
from lakeproof.drills.clean_up import attempt, await_quiet, look_inventory, remove_old_faults, wrong_data
from lakeproof.drills.journal import Journal
from lakeproof.drills.phases import Phase
from lakeproof.drills.plan import DrillPlan
from lakeproof.drills.report import DrillReport
from lakeproof.drills.world import World
from lakeproof.errors import CouldNotLook, DeadlineExpired, InvalidInput, LakeproofError
from lakeproof.held_file import HeldByAnother, hold
from lakeproof.observability.drill_windows import abandoned, borrower, lock_file, words_of_this_process
from lakeproof.probes.reading import Reading, Value
from lakeproof.proof.outcome import worst
from lakeproof.stack.stack import Stack

# The factor for the budgets `detect` and `quiet`: production rules have longer windows.
TIMING_FACTOR = {"drill": 1, "production": 12}
PUBLISHED = ("published-hash", "published-checkpoint")
# How long a stack that has just started may take until it is calm and every claim can be judged.
SETTLE_SECONDS = 90.0
LOOK_SECONDS = 1.0
# How long to wait for the desk, which holds the lock while it restores a killed drill's windows: two reloads of 10 s.
PATIENCE_SECONDS = 25.0
# How long to wait for a lock that a living drill may hold. A drill does not wait for the end of another drill. But
# the content of the lock file lags behind the lock: a drill writes its name only once it has the lock, and the desk
# clears the killed drill's name before it releases the lock.
LIVING_SECONDS = 2.0


@contextmanager
def one_drill(stack: Stack) -> Iterator[None]:
    """Hold the stack's lock for drills during the block. The kernel frees it when this process dies.

    Raises: InvalidInput, which names the process that holds the lock.
    """
    with ExitStack() as end:
        try:
            try:
                end.enter_context(_held(stack, LIVING_SECONDS))
            except HeldByAnother:
                if not abandoned(stack):
                    raise
                end.enter_context(_held(stack, PATIENCE_SECONDS))
        except HeldByAnother as held:
            raise InvalidInput(
                f"a drill is running already (process {held.holder.split()[0]})",
                where=f"stack {stack.name}",
                next_action="wait for its end, or stop it with Ctrl-C",
            ) from held
        yield


def _held(stack: Stack, seconds: float) -> AbstractContextManager[None]:
    # Keep the timing that a killed drill left in force in the lock file, until this drill restores the stack's own.
    killed = borrower(stack)
    return hold(lock_file(stack), words_of_this_process(killed.timing if killed else ""), seconds)


@dataclass(frozen=True)
class DrillOptions:
    """How a drill is to be run.

    fix: the steps to run instead of the diagnosed repair.
    blind: name neither scenario, fault nor claims before the review.
    recover_seconds: used instead of the plan's recover budget, for a fix that is not expected to help.
    afterwards: once all claims hold, each repaired part is killed, and no alert may fire for this many seconds.
    """

    seed: int
    folder: Path
    run: str
    fix: tuple[Step, ...] | None = None
    blind: bool = False
    recover_seconds: float | None = None
    afterwards: float = 0.0


@dataclass
class Run:
    """The state of one drill, and the two phases that every drill has: `prepare` (baseline) and `judge` (verify).

    touches: components that fault and repair may disturb.
    breaks: True where the drill injects a fault.
    baselines, inventory: filled by `prepare`.
    shopped: how often shoppers were started for a check; numbers their runs.
    """

    world: World
    plan: DrillPlan
    options: DrillOptions
    report: DrillReport
    journal: Journal
    checks: tuple[BoundCheck, ...]
    touches: tuple[str, ...]
    breaks: bool = True
    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    inventory: Mapping[str, Reading] = field(default_factory=dict)
    shopped: int = 0

    @property
    def by(self) -> str:
        """Who breaks the stack, for the fault records."""
        return f"drill {self.told(self.plan.id, 'blind')}"

    @property
    def factor(self) -> int:
        """The factor for the budgets `detect` and `quiet`."""
        return TIMING_FACTOR[self.world.timing]

    def tell(self, phase: Phase) -> Callable[[str], None]:
        """A function that shows progress lines of that phase."""
        return lambda text: self.journal.tell(phase, text)

    def told(self, text: str, instead: str) -> str:
        """`text`, or in a blind drill `instead`, where `text` would give the scenario away."""
        return instead if self.options.blind else text

    def tell_claims(self, phase: Phase) -> Callable[[str], None]:
        """As `tell`, for lines that begin with a claim's name, which a blind drill replaces by a number."""
        tell, numbers = self.tell(phase), count(1)
        return lambda text: tell(self.told(text, f"claim {next(numbers)} is looked at"))

    def context(self, seconds: float, phase: Phase) -> CheckContext:
        """What a check may know in that phase. The check has to end after `seconds`."""
        return CheckContext(
            stack=self.world.stack,
            deadline=Deadline(seconds),
            components=self.touches,
            alerts=self.plan.alerts,
            evidence=self.plan.evidence,
            quiet_seconds=self.plan.budgets.quiet * self.factor,
            scenario_dirs=self.plan.folders,
            progress=(lambda text: None) if self.options.blind else self.journal.seldom(phase),
            shopping=self._shopping,
            fault_made=self.breaks,
        )

    @contextmanager
    def _shopping(self) -> Iterator[None]:
        """Let shoppers buy for a check during the block, at the plan's rate, each time as a run of their own.

        Where they do not stop cleanly, that is written into the journal and not raised: what the check saw counts.
        """
        self.shopped += 1
        # Not longer than the drill's own run name, which may already have the most characters that are allowed.
        traffic, run = self.plan.traffic, f"aft{self.shopped}-{self.options.run.removeprefix('drill-')}"
        self.world.traffic.start(traffic.rate, self.options.seed, run, traffic.purchases)
        try:
            yield
        finally:
            attempt("shoppers did not stop", self.stop_shoppers, self.journal)

    def counted_again(self, judged: Sequence[Judged]) -> list[Judged]:
        """The verdicts, with a fresh look by the checks that counted wrong data, since the fault is out by now.

        A row that the fault itself had changed is right again and does not count as left behind. Where a check cannot
        look now, its earlier verdict stays.
        """
        wrong = {each.check for each in judged if wrong_data(each.verdict)}
        checks = [each for each in self.checks if each.name in wrong]
        if not checks:
            return list(judged)
        now = take_known_baselines(
            checks,
            lambda: self.context(self.plan.budgets.verify, Phase.REVIEW),
            self.tell_claims(Phase.REVIEW),
            SETTLE_SECONDS,
        )
        known = {name: each.verdict for name, each in now.items() if each.verdict.outcome is not Outcome.UNKNOWN}
        return [Judged(each.check, known.get(each.check, each.verdict)) for each in judged]

    def prepare(self) -> tuple[Outcome, str]:
        """The baseline: remove old faults, start what is missing, see every claim hold, let shoppers in."""
        journal = self.journal
        try:
            # Before the components start: a component that an old fault stopped would not become healthy.
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
        # Before the shoppers come: while no rows change, digests that agree need no second look.
        self.baselines = take_known_baselines(
            self.checks,
            lambda: self.context(self.plan.budgets.verify, Phase.BASELINE),
            self.tell_claims(Phase.BASELINE),
            SETTLE_SECONDS,
            # Effects of an earlier drill may still show and pass. A wrong row does not become right by waiting.
            may_change=lambda verdict: verdict.outcome is not Outcome.PASSED and not wrong_data(verdict),
        )
        self.report.published_before = self.published()
        # Only now: a stack that has just started still makes topics and the like when they are first used.
        self.inventory = look_inventory(self.world)
        verdicts = {name: each.verdict for name, each in self.baselines.items()}
        failing = [
            f"{name}: {verdict.summary}"
            for name, verdict in verdicts.items()
            if verdict.outcome is not Outcome.PASSED
        ]
        if failing:
            return worst(verdict.outcome for verdict in verdicts.values()), "; ".join(failing)
        if firing := await_quiet(self.world, SETTLE_SECONDS):
            raise CouldNotLook(f"alerts fire before the fault: {', '.join(firing)}", where="baseline")
        traffic = self.plan.traffic
        self.world.traffic.start(traffic.rate, self.options.seed, self.options.run, traffic.purchases)
        beside = f" and buy {traffic.purchases:g} times" if traffic.purchases else ""
        shoppers = self.told(f"shoppers ask {traffic.rate:g} times{beside} a second", "shoppers ask and buy")
        journal.write(Phase.BASELINE, shoppers, run=self.options.run)
        Deadline(traffic.seconds_before).pause(traffic.seconds_before)
        return Outcome.PASSED, ""

    def judge(self) -> tuple[Outcome, str]:
        """Stop the shoppers once enough orders are acknowledged, then judge every claim.

        Where the orders do not come, the claims are still judged: they may tell why the shop acknowledges so few.
        """
        few = ""
        try:
            self._await_orders()
        except DeadlineExpired as error:
            few = error.message
        self.stop_shoppers()
        judged = self._judged()
        self.report.checks = judged
        self.report.published_after = self.published()
        outcomes = {each.check: each.verdict.outcome.value for each in judged}
        numbers = {each.check: each.verdict.numbers for each in judged}
        facts = {} if self.options.blind else {"outcomes": outcomes, "numbers": numbers}
        self.journal.write(Phase.VERIFY, f"{len(judged)} claims judged", **facts)
        found = [each.verdict.outcome for each in judged]
        failing = [
            f"{each.check}: {each.verdict.summary}" for each in judged if each.verdict.outcome is not Outcome.PASSED
        ]
        if few:
            found, failing = [Outcome.FAILED, *found], [few, *failing]
        return worst(found), "; ".join(failing)

    def _judged(self) -> list[Judged]:
        """The verdict of every check. Checks that judge rows get the phase's whole time for themselves: the restart
        of an earlier check may have taken long, and the lake has to catch up after it.
        """
        tell, judged = self.tell_claims(Phase.VERIFY), list[Judged]()
        for rows in (False, True):
            checks = [each for each in self.checks if each.check.judges_rows is rows]
            context = self.context(self.plan.budgets.verify, Phase.VERIFY)
            judged += verify(checks, context, self.baselines, tell, by=self.by)
        return judged

    def published(self) -> tuple[Value, Value]:
        """The newest published Nessie hash and its checkpoint; None for each that cannot be read."""
        known = self.world.catalog.probes
        found = self.world.look(known[name] for name in PUBLISHED if name in known)
        values = [found[name].value if name in found else None for name in PUBLISHED]
        return values[0], values[1]

    def _await_orders(self) -> None:
        """Wait until the shop has acknowledged enough orders to these shoppers.

        Raises: DeadlineExpired; LakeproofError where no shoppers buy any more.
        """
        have, wanted = 0, self.plan.traffic.orders

        def look() -> bool | None:
            nonlocal have
            have = self.world.traffic.orders()
            return True if have >= wanted else None

        Deadline(self.plan.budgets.verify).wait_for(
            f"{wanted} acknowledged orders",
            look,
            every=LOOK_SECONDS,
            seen=lambda: f"{have} of {wanted} orders",
            progress=self.journal.waiting(Phase.VERIFY),
        )

    def stop_shoppers(self) -> None:
        """Stop the shoppers and write what they saw into the journal; do nothing where none buy."""
        result = self.world.traffic.stop()
        if result is None:
            return
        facts, why = asdict(result), ", ".join(f"{count} {reason}" for reason, count in result.refusals.items())
        if self.options.blind:  # the reason that a service gives for a refusal would name the fault
            facts["refusals"], why = {}, ""
        self.journal.write(
            Phase.VERIFY,
            f"shoppers: {result.asked} calls asked, {result.acknowledged} acknowledged, "
            f"{result.refused} refused{f' ({why})' if why else ''}, {result.unclear} unclear; "
            f"they came to 99 % of the calls within {result.late_p99_ms:.0f} ms of their time",
            **facts,
        )
