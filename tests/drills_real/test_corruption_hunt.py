"""`lakeproof bench corruption`: what is planted in one store is found by `check`, and between two rounds it passes.

On the path, and on the whole shop, whose stores have kinds of their own.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.proof, pytest.mark.drills, pytest.mark.timeout(10_800)]

type Run = Callable[..., Any]

ROUNDS = 60
# By one seed two rounds were unknown (a file that is gone, one that is spoilt). By the other one was (a torn line of
# the ledger), and one found no row to spoil.
NOT_JUDGED_AT_MOST = 6
HUNT_SECONDS = 9_000
UP_SECONDS = 900


@pytest.mark.parametrize("wanted", [(), ("--all",)], ids=["path", "whole shop"])
def test_no_corruption_is_missed_and_none_is_made_up(whole_stack: Stack, lakeproof: Run, wanted: tuple[str]) -> None:
    started = lakeproof("up", *wanted, seconds=UP_SECONDS)
    assert started.code == 0, started.err[-4000:]
    seed = "2" if wanted else "1"  # a hunt goes on where its journal, by seed, was cut off
    hunt = ("bench", "corruption", "--seed", seed, "--rounds", str(ROUNDS), "--json")
    done = lakeproof(*hunt, seconds=HUNT_SECONDS)
    assert done.out, (done.code, done.err[-4000:])
    told = json.loads(done.out)
    # Exit 3 where a file of the lake is gone or spoilt: then check says that it could not look, which is no miss.
    assert done.code in (0, 3), (told["notes"][:1], done.err[-4000:])
    assert len(told["tables"]["rounds"]) == ROUNDS
    counts = told["tables"]["counts"][0]
    assert (counts["missed"], counts["false alarms"]) == (0, 0), told["tables"]["rounds"]
    # A check that could judge nothing would miss nothing either.
    assert counts["found"] >= ROUNDS - NOT_JUDGED_AT_MOST, told["tables"]["rounds"]
