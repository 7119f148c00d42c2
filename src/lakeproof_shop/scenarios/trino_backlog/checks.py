"""Checks of the scenario trino-backlog."""

import time

from pydantic import Field

from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.tries import ask_again
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.lake.query import trino
from lakeproof.lake.query.answer import EngineUnreachable, StatementFailed
from lakeproof.lake.query.trino import OWN_SOURCE, PERSONS_SOURCE
from lakeproof.lake.query.trino_queries import Query, queries
from lakeproof.proof.report import KEYS_SHOWN
from lakeproof.stack.engines.trino import HEALTH_USER
from lakeproof.stack.stack import Stack

ANSWER_SECONDS = 30.0

# The rows of both sides are sent by their hash to every worker and joined there. A Trino whose coordinator plans
# while its workers do nothing answers `SELECT 1`, but not this join. The join reads no table, so the lake has no part
# in it. Trino refuses to join UNNEST itself by anything but ON TRUE, hence the two subqueries.
JOINED = 1000

_SIDE = f"(SELECT x FROM UNNEST(sequence(1, {JOINED})) t(x))"

SQL = f"SELECT count(*) FROM {_SIDE} a JOIN {_SIDE} b ON a.x = b.x"

SESSION = "join_distribution_type=PARTITIONED"

# The error of a query that was cancelled. Lakeproof's own clients (the health question, an audit, a check) cancel
# theirs when time is up, on busy processors. If somebody else cancelled one of those, no user was hurt, and an
# audit that gets no answer has its own alert.
CALLED_OFF = "USER_CANCELED"

# The errors of a query that had work on a worker that is gone (Trino's StandardErrorCode).
LOST_WITH_A_WORKER = frozenset(
    {"PAGE_TRANSPORT_ERROR", "PAGE_TRANSPORT_TIMEOUT", "REMOTE_TASK_ERROR", "REMOTE_HOST_GONE"}
)

# The error of a query that Trino itself abandons, after its client has fetched no rows for five minutes.
GIVEN_UP = "ABANDONED_QUERY"


class QueriesServed(Check):
    """No query waits, another user's query is answered soon, and nobody else's failed.

    Trino serves: nobody waits, another user's query has its row, and no query of anybody else failed.

    The bound: Trino remembers the newest fifty queries that ended, each for a minute at least. One that failed
    earlier may be forgotten. nothing_else_disturbed tells whether Trino was restarted, which fails every query under
    way.

    `user`: the other user who asks, in a resource group of its own. A query of that user beside the flood, whose
    rows nobody fetches, must live on, but Trino may abandon it. `flooding`: the user whose queries may be killed.
    `seconds`: the other user's answer must take less than this; the quickest of a few tries counts. `loses_worker`:
    the fault takes a worker away, so Lakeproof's own queries (such as each minute's audit) may have failed with it.
    """

    user: str = "reporter"
    flooding: str = "analyst"
    seconds: float = Field(3.0, gt=0, le=ANSWER_SECONDS)
    loses_worker: bool = False

    def baseline(self, context: CheckContext) -> Baseline:
        """The claim holds before the fault. The time is kept: no query made from then on may have failed."""
        now = time.time()
        return Baseline(self._judge(context, now), {"at": now})

    def verify(self, context: CheckContext, before: Baseline) -> Verdict:
        """The claim holds after the repair."""
        at = before.values.get("at")
        return self._judge(context, float(at) if isinstance(at, int | float) else 0.0)

    def _judge(self, context: CheckContext, since: float) -> Verdict:
        tries = ask_again(
            lambda: _ask(context.stack, self.user),
            lambda took: isinstance(took, float) and took >= self.seconds,
            context.deadline,
        )
        found = queries(context.stack)
        seconds = [took for took in tries if isinstance(took, float)]
        if refused := [took for took in tries if isinstance(took, str)]:
            words = f"Trino answers, and a join of {self.user} {refused[0]}"
            return Verdict(self.summary, Outcome.FAILED, words)
        return judge(found, self, since, min(seconds))


def judge(found: list[Query], arguments: QueriesServed, since: float, took: float) -> Verdict:
    """since: seconds since 1970; older queries are not judged. took: seconds of the other user's query."""
    waiting = sum(one.waits for one in found)
    failed = [
        one
        for one in found
        if one.error
        and one.user != arguments.flooding
        and not (one.error == CALLED_OFF and (one.user == HEALTH_USER or one.source == OWN_SOURCE))
        and (one.user, one.error) != (arguments.user, GIVEN_UP)
        and not (arguments.loses_worker and one.source == OWN_SOURCE and one.error in LOST_WITH_A_WORKER)
        and one.made_at.timestamp() >= since
    ]
    numbers = {"queued": float(waiting), "failed_of_others": float(len(failed)), "answer_seconds": round(took, 2)}
    if waiting or failed or took >= arguments.seconds:
        words = [f"{waiting} queries wait"] if waiting else []
        if took >= arguments.seconds:
            words.append(f"the answer to another user took {took:.2f} s, not less than {arguments.seconds:g} s")
        words += [f"query {one.id} of {one.user} failed: {one.error}" for one in failed[:5]]
        return Verdict(
            QueriesServed.summary,
            Outcome.FAILED,
            "; ".join(words),
            numbers,
            tuple(one.id for one in failed[:KEYS_SHOWN]),
        )
    return Verdict(
        QueriesServed.summary,
        Outcome.PASSED,
        f"none waits, none of others failed; another user's answer took {took:.2f} s",
        numbers,
    )


def _ask(stack: Stack, user: str) -> float | str:
    """How many seconds a small join takes for that user; where its row did not come, in words what was wrong.

    Raises: CouldNotLook where Trino gives no answer.
    """
    deadline = Deadline(ANSWER_SECONDS)
    try:
        answer = trino.run(stack, SQL, deadline, user=user, source=PERSONS_SOURCE, session=SESSION)
    except StatementFailed as error:
        return f"failed: {error.what}"
    except EngineUnreachable:
        if not deadline.expired:
            raise
        return f"gave no row within {ANSWER_SECONDS:g} s"
    if [list(row) for row in answer.rows] == [[JOINED]]:
        return deadline.elapsed
    return f"gave {[list(row) for row in answer.rows]} instead of {JOINED}"
