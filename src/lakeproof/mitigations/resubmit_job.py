"""Have the lake's job of a database there again, from its newest complete checkpoint; nothing where it is."""

from lakeproof.lake.job import ensure_submitted
from lakeproof.lake.of_database import OfDatabase
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack


def typed(stack: Stack, arguments: OfDatabase) -> str:
    """The same by hand. A look comes first: a redeployment would stop and restart a job that is there."""
    name = arguments.source.job
    return (
        f"curl -s {stack.url('flink-jobmanager')}/jobs/overview; only where no {name} is alive there: "
        f"lakeproof lake redeploy --database {arguments.database}"
    )


def run(stack: Stack, arguments: OfDatabase) -> str:
    """Submit the job where there is none. A job that waits for a TaskManager is there, and the answer says so."""
    database = arguments.source
    return f"the lake's job {database.job} {ensure_submitted(stack, database)}"


MITIGATION = Mitigation(
    "resubmit_job", "submit the lake's job from its newest complete checkpoint", typed, run, OfDatabase
)
