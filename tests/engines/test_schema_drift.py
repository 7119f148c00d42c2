"""A column that nobody announced, by the script: added once, dropped once, never one of the table's own."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.engines, pytest.mark.proof]

SCRIPT = Path(__file__).parents[2] / "scripts" / "chaos" / "simulate_schema_drift.py"


def run(*arguments: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else {}, done.stderr


def test_it_is_added_and_dropped_and_safe_to_repeat(stack: Stack, up: Callable[..., SupervisorClient]) -> None:
    up("mysql")
    before = run("--revert")[1]["columns"]
    for _ in range(2):
        code, told, _ = run("--table", "orders", "--column", "gift_note")
        assert (code, told["present"], told["columns"]) == (0, True, [*before, "gift_note"])
    for _ in range(2):
        code, told, _ = run("--table", "orders", "--column", "gift_note", "--revert")
        assert (code, told["present"], told["columns"]) == (0, False, before)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--column", "status", "--revert"), 2, "status is a column of its own"),
        (("--table", "nothing"), 2, "no such table"),
        (("--column", "a;b"), 2, "no plain name"),
    ],
)
def test_what_it_may_not_do_is_refused(
    stack: Stack, up: Callable[..., SupervisorClient], arguments: tuple[str, ...], code: int, words: str
) -> None:
    up("mysql")
    ended, _, said = run(*arguments)
    assert (ended, words in said) == (code, True), said
