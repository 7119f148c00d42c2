"""Have the lake's job there again, from its newest complete checkpoint; nothing where it is."""

from lakeproof.arguments import Arguments
from lakeproof.lake.job import ensure_submitted
from lakeproof.lake.job.spec import JOB_NAME
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack


def typed(stack: Stack, arguments: Arguments) -> str:
    """The same by hand. A look comes first: a redeployment would stop and restart a job that is there."""
    return (
        f"curl -s {stack.url('flink-jobmanager')}/jobs/overview; only where no {JOB_NAME} is alive there: "
        "lakeproof lake redeploy"
    )


def run(stack: Stack, arguments: Arguments) -> str:
    """Submit it where it is not."""
    return f"the lake's job is there as {ensure_submitted(stack)}"


MITIGATION = Mitigation("resubmit_job", "submit the lake's job from its newest complete checkpoint", typed, run)
