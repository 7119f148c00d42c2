"""Who brings into the lake what it lacks is known to the publisher, for as long as that may take."""

import os
import time

import pytest

from lakeproof.held_file import HeldByAnother
from lakeproof.lake.job import bridging
from lakeproof.lake.sources.source import OLTP, SHOP
from lakeproof.stack.stack import Stack


def test_one_at_a_time_for_each_database_and_main_moves_once_it_says_so(stack: Stack) -> None:
    assert not bridging.main_may_move(stack, OLTP)
    with bridging.bridging(stack, OLTP):
        assert not bridging.main_may_move(stack, OLTP)
        bridging.let_main_move(stack, OLTP)
        assert bridging.main_may_move(stack, OLTP) and not bridging.main_may_move(stack, SHOP)
        with pytest.raises(HeldByAnother), bridging.bridging(stack, OLTP):
            pass
    assert not bridging.main_may_move(stack, OLTP)
    with bridging.bridging(stack, OLTP):
        assert not bridging.main_may_move(stack, OLTP)


def test_one_that_hangs_does_not_count_for_ever(stack: Stack) -> None:
    with bridging.bridging(stack, OLTP):
        bridging.let_main_move(stack, OLTP)
        long_ago = time.time() - bridging.LONGEST_SECONDS - 1
        os.utime(bridging._lock(stack, OLTP), (long_ago, long_ago))
        assert not bridging.main_may_move(stack, OLTP)
