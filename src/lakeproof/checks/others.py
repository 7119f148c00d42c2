"""The check of all that a drill should not touch."""

from pydantic import Field

from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.errors import CouldNotLook
from lakeproof.probes.prometheus import instant
from lakeproof.probes.reading import Value
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.components import all_components
from lakeproof.stack.replicas import family_of
from lakeproof_shop.customers.ledger import read_ledgers


class NothingElseDisturbed(Check):
    """Nothing else was disturbed.

    `error_budget`: the share of the shoppers' calls that may be refused or stay unclear. One call of several may
    always be, so that a drill with few calls does not fail for one.
    """

    error_budget: float = Field(0.01, ge=0, le=1)

    def baseline(self, context: CheckContext) -> Baseline:
        """Which processes run, and what the shoppers' ledger counts."""
        values = processes(context) | calls(context)
        return Baseline(
            Verdict(self.summary, Outcome.PASSED, f"{len(values) - 3} components outside the scenario"), values
        )

    def verify(self, context: CheckContext, before: Baseline) -> Verdict:
        """The same processes run, and few of the calls since then were not acknowledged."""
        return judge(processes(context), calls(context), dict(before.values), self.error_budget)


def processes(context: CheckContext) -> dict[str, Value]:
    """Component → what identifies its process, for the components outside the scenario. Raises: CouldNotLook.

    In somebody else's stack there is no supervisor to ask, so the start times that Prometheus scrapes are taken.
    """
    if context.stack.settings.mode == "external":
        found = instant(context.stack, "max by (job) (process_start_time_seconds)")
        if not found:
            raise CouldNotLook("Prometheus has no start times of processes", where="process_start_time_seconds")
        started = {labels.get("job", ""): f"started at {at:.0f}" for labels, at in found}
    else:
        started = {
            row.name: f"pid {row.pid}, {row.restarts} restarts" for row in SupervisorClient(context.stack).ps()
        }
    # A further replica of a component counts as that component: a JobManager that dies takes down all TaskManagers.
    known = all_components()
    return {
        f"process:{name}": text
        for name, text in started.items()
        if name not in context.components and family_of(name, known) not in context.components
    }


def calls(context: CheckContext) -> dict[str, Value]:
    """How many of the shoppers' calls, over all runs, were acknowledged, were refused, or are unclear."""
    known = read_ledgers(context.stack.ledger_dir)
    return {"acknowledged": known.acknowledged, "refused": known.refused, "unclear": known.unclear}


def judge(now: dict[str, Value], counted: dict[str, Value], before: dict[str, Value], error_budget: float) -> Verdict:
    """The verdict over processes now, calls now, and both before."""
    touched = [
        f"{name.removeprefix('process:')} ({value} → {now.get(name, 'gone')})"
        for name, value in before.items()
        if name.startswith("process:") and now.get(name) != value
    ]
    grown = {
        name: _count(counted[name]) - _count(before.get(name)) for name in ("acknowledged", "refused", "unclear")
    }
    asked = sum(grown.values())
    bad = grown["refused"] + max(0, grown["unclear"])
    # Other names than in `no_order_lost`, which counts orders: these are calls.
    numbers = {f"calls_{name}": float(count) for name, count in grown.items()}
    numbers["restarted_outside"] = float(len(touched))
    problems = []
    if touched:
        problems.append(f"restarted outside the scenario: {', '.join(touched)}")
    if asked > 0 and (bad > max(1, asked * error_budget) or bad == asked):
        problems.append(f"{bad} of {asked} calls refused or unclear, more than {error_budget:.0%}")
    if problems:
        return Verdict(NothingElseDisturbed.summary, Outcome.FAILED, "; ".join(problems), numbers)
    if asked <= 0:
        return Verdict(
            NothingElseDisturbed.summary,
            Outcome.UNKNOWN,
            "nobody called the shop meanwhile, so nobody saw it serve",
            numbers,
        )
    return Verdict(
        NothingElseDisturbed.summary,
        Outcome.PASSED,
        f"nothing restarted outside; {bad} of {asked} calls not served",
        numbers,
    )


def _count(value: Value) -> int:
    return int(value) if isinstance(value, int | float) else 0
