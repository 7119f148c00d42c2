"""Have `main` show what a branch holds, once an audit has seen every file of it."""

from typing import Literal

from lakeproof.arguments import Arguments
from lakeproof.lake.publish.main_branch import bring_in
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack


class MergeBranch(Arguments):
    """`branch`: ingest, what the publisher has made ready; backup, the last state that a full audit found whole."""

    branch: Literal["ingest", "backup"] = "ingest"


def typed(stack: Stack, arguments: MergeBranch) -> str:
    """The same by hand."""
    return f"lakeproof lake merge --from {arguments.branch}"


def run(stack: Stack, arguments: MergeBranch) -> str:
    """Audit the branch and bring it into main. Raises: as `bring_in`."""
    return f"main shows {arguments.branch}, at {bring_in(stack, arguments.branch)[:16]}"


MITIGATION = Mitigation("merge_branch", "have main show what a branch holds", typed, run, MergeBranch)
