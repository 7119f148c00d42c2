"""The repaired part is healthy again after a restart. This check acts: it restarts the part."""

import contextlib
from collections.abc import Mapping

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, DeadlineExpired, LakeproofError
from lakeproof.lake.capture.commands import await_begun_anew, restart
from lakeproof.probes.looking import look_once
from lakeproof.probes.probe import Probe, all_probes
from lakeproof.probes.reading import Reading
from lakeproof.processes.client import SupervisorClient

CLAIM = "the repaired part survives a restart"


class SurvivesRestart(Arguments):
    """component: the repaired part. seconds: time after the restart within which all evidence must be healthy again.

    connector: is restarted instead of the component where the stack is external, and its processes are not ours.
    Without a connector the verdict there is unknown.
    """

    component: str
    connector: str = ""
    seconds: float = Field(60.0, gt=0)


def baseline(context: CheckContext, arguments: SurvivesRestart) -> Baseline:
    """The scenario's evidence is healthy before the fault; nothing is restarted."""
    return Baseline(judge(look(context), "before the fault"))


def verify(context: CheckContext, arguments: SurvivesRestart, before: Baseline) -> Verdict:
    """Restart the component; all evidence must become healthy again in time."""
    try:
        what = _restart(context, arguments)
    except CouldNotLook as error:
        return Verdict(CLAIM, Outcome.UNKNOWN, error.message)
    except LakeproofError as error:
        return Verdict(CLAIM, Outcome.FAILED, f"{arguments.component} does not start again: {error.message}")
    # This wait does not use the phase's deadline. On a slow machine the checks before may have used it up, and a part
    # for which nobody waited would be reported as one that did not come back.
    return await_evidence(context, arguments.seconds, f"after {what} was restarted")


def await_evidence(context: CheckContext, seconds: float, when: str) -> Verdict:
    """Wait until all of the scenario's evidence is healthy, for at most `seconds`; gives the last look's verdict."""
    verdict = Verdict(CLAIM, Outcome.UNKNOWN, f"not looked at {when}")

    def healthy() -> bool | None:
        nonlocal verdict
        verdict = judge(look(context), when)
        return True if verdict.outcome is Outcome.PASSED else None

    with contextlib.suppress(DeadlineExpired):
        Deadline(seconds).wait_for(
            "the evidence to be healthy again",
            healthy,
            every=1.0,
            progress=lambda _, took: context.progress(f"waiting for the evidence to be healthy {when}, {took:.0f} s"),
        )
    return verdict


def _restart(context: CheckContext, arguments: SurvivesRestart) -> str:
    """Restart the part, and wait until it is up; gives its name.

    Raises: CouldNotLook where the process is not ours, or nothing shows a restart; LakeproofError.
    """
    if context.stack.settings.mode == "external":
        if not arguments.connector:
            raise CouldNotLook("its processes are not ours to restart", where=arguments.component)
        restart(context.stack, arguments.connector, only_failed=False)
        await_begun_anew(context.stack, arguments.connector, arguments.seconds)
        return f"connector {arguments.connector}"
    SupervisorClient(context.stack).restart(arguments.component)
    return arguments.component


def look(context: CheckContext) -> dict[str, tuple[Reading, bool | None]]:
    """The scenario's evidence now: the reading of each probe, and whether it is healthy (None: no answer)."""
    known = all_probes(context.scenario_dirs)
    asked = [known[name] for name in context.evidence]
    found = look_once(context.stack, asked)
    return {probe.id: (found[probe.id], fine(probe, found[probe.id])) for probe in asked}


def fine(probe: Probe, reading: Reading) -> bool | None:
    """Whether the reading is healthy; None without an answer. A probe without a healthy range only has to answer."""
    if probe.healthy is None:
        return True if reading.answered else None
    return probe.healthy.holds(reading, reading)


def judge(seen: Mapping[str, tuple[Reading, bool | None]], when: str) -> Verdict:
    """Failed where evidence is out of range; unknown where some has no answer; passed where all is healthy."""
    wrong = tuple(reading for reading, fine in seen.values() if fine is False)
    unseen = tuple(reading for reading, fine in seen.values() if fine is None)
    if wrong:
        words = ", ".join(f"{reading.probe} is {reading.value}" for reading in wrong)
        return Verdict(CLAIM, Outcome.FAILED, f"{when}: {words}", readings=(*wrong, *unseen))
    if unseen or not seen:
        words = ", ".join(f"{reading.probe} has no answer ({reading.error})" for reading in unseen)
        return Verdict(CLAIM, Outcome.UNKNOWN, f"{when}: {words or 'no evidence to look at'}", readings=unseen)
    return Verdict(CLAIM, Outcome.PASSED, f"all evidence is healthy {when}")


def stops(arguments: SurvivesRestart) -> list[str]:
    """The repaired part."""
    return [arguments.component]


CHECK = Check("survives_restart", CLAIM, baseline, verify, SurvivesRestart, acts=True, stops=stops)
