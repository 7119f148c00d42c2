"""How long an engine's statements may take."""

from lakeproof.deadline import Deadline
from lakeproof.lake.query.answer import Answer
from lakeproof.proof.tables.readers import StatementTime


def test_the_next_statement_may_take_three_times_what_the_longest_one_took() -> None:
    """All statements of an engine once had to end within one limit: on a busy machine the last one had none left."""
    time, limits = StatementTime(0.05), list[float]()

    def run(deadline: Deadline) -> Answer:
        limits.append(deadline.seconds)
        if len(limits) == 2:
            deadline.pause(0.04)
        return Answer("trino", (), ((1,),), 0.0)

    assert [time.rows(run) for _ in range(3)] == [((1,),)] * 3
    assert limits[:2] == [0.05, 0.05]
    assert limits[2] >= 3 * 0.04
