"""Have the lake's job of a database there again, from its newest complete checkpoint; nothing where it is."""

from typing import Literal

from lakeproof.arguments import Arguments
from lakeproof.lake.job import ensure_submitted
from lakeproof.lake.job.databases import OLTP, find_database
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack


class ResubmitJob(Arguments):
    """`database`: whose job, oltp (MariaDB) or shop (PostgreSQL)."""

    database: Literal["oltp", "shop"] = "oltp"


def typed(stack: Stack, arguments: ResubmitJob) -> str:
    """The same by hand. A look comes first: a redeployment would stop and restart a job that is there."""
    name = find_database(arguments.database).job_name
    more = "" if arguments.database == OLTP.name else f" --database {arguments.database}"
    return (
        f"curl -s {stack.url('flink-jobmanager')}/jobs/overview; only where no {name} is alive there: "
        f"lakeproof lake redeploy{more}"
    )


def run(stack: Stack, arguments: ResubmitJob) -> str:
    """Submit it where it is not."""
    database = find_database(arguments.database)
    return f"the lake's job {database.job_name} is there as {ensure_submitted(stack, database)}"


MITIGATION = Mitigation(
    "resubmit_job", "submit the lake's job from its newest complete checkpoint", typed, run, ResubmitJob
)
