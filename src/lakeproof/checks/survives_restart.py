"""The repaired part keeps its health through a restart. The one check that acts: it restarts that component."""

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, DeadlineExpired, LakeproofError
from lakeproof.lake.capture.commands import restart
from lakeproof.probes.looking import look_once
from lakeproof.probes.probe import all_probes
from lakeproof.probes.reading import Reading
from lakeproof.processes.client import SupervisorClient

CLAIM = "the repaired part survives a restart"


class SurvivesRestart(Arguments):
    """component: the repaired part. seconds: until all evidence must be healthy again after the restart.

    connector: restarted instead in a stack that somebody else runs, whose processes are not ours; none: unknown.
    """

    component: str
    connector: str = ""
    seconds: float = Field(60.0, gt=0)


def baseline(context: CheckContext, arguments: SurvivesRestart) -> Baseline:
    """The scenario's evidence is healthy before the fault; nothing is restarted."""
    unhealthy = [seen for seen in look(context).values() if seen[1] is not True]
    return Baseline(_verdict(tuple(seen for seen, _ in unhealthy), "before the fault"))


def verify(context: CheckContext, arguments: SurvivesRestart, before: Baseline) -> Verdict:
    """Restart the component; all evidence must become healthy again in time."""
    try:
        what = _restart(context, arguments)
    except CouldNotLook as error:
        return Verdict(CLAIM, Outcome.UNKNOWN, error.message)
    except LakeproofError as error:
        return Verdict(CLAIM, Outcome.FAILED, f"{arguments.component} does not start again: {error.message}")
    unhealthy: tuple[Reading, ...] = ()

    def healthy() -> bool | None:
        nonlocal unhealthy
        unhealthy = tuple(seen for seen, fine in look(context).values() if fine is not True)
        return None if unhealthy else True

    try:
        Deadline(min(arguments.seconds, context.deadline.left)).wait_for(
            "the evidence to be healthy again", healthy, every=1.0, progress=lambda _, took: _tell(context, took)
        )
    except DeadlineExpired:
        return _verdict(unhealthy, f"after {what} was restarted")
    return _verdict((), f"after {what} was restarted")


def _restart(context: CheckContext, arguments: SurvivesRestart) -> str:
    """Restart it; gives what was restarted. Raises: CouldNotLook where that is not ours to do, LakeproofError."""
    if context.stack.settings.mode == "external":
        if not arguments.connector:
            raise CouldNotLook("its processes are not ours to restart", where=arguments.component)
        restart(context.stack, arguments.connector, only_failed=False)
        return f"connector {arguments.connector}"
    client = SupervisorClient(context.stack)
    client.stop(arguments.component)
    client.start(arguments.component)
    return arguments.component


def _tell(context: CheckContext, took: float) -> None:
    context.progress(f"waiting for the evidence to be healthy after the restart, {took:.0f} s")


def look(context: CheckContext) -> dict[str, tuple[Reading, bool | None]]:
    """The scenario's evidence now, with whether it is healthy (None: no answer)."""
    known = all_probes(context.scenario_dirs)
    asked = [known[name] for name in context.evidence]
    found = look_once(context.stack, asked)
    return {
        probe.id: (
            found[probe.id],
            True if probe.healthy is None else probe.healthy.holds(found[probe.id], found[probe.id]),
        )
        for probe in asked
    }


def _verdict(unhealthy: tuple[Reading, ...], when: str) -> Verdict:
    if not unhealthy:
        return Verdict(CLAIM, Outcome.PASSED, f"all evidence is healthy {when}")
    words = ", ".join(f"{seen.probe} is {seen.value if seen.answered else 'without an answer'}" for seen in unhealthy)
    return Verdict(CLAIM, Outcome.FAILED, f"{when}: {words}", readings=unhealthy)


CHECK = Check("survives_restart", CLAIM, baseline, verify, SurvivesRestart, acts=True)
