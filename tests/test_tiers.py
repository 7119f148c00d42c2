"""What `make test`, `make test-turns` and `make test-all` run, and what they say about the rest."""

import re

from tests.commit import ROOT
from tests.tiers import BY_NAME, RUNS, TIERS, Ran, left_out, summary


def test_every_tier_is_a_target_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {tier.target.split()[0] for tier in TIERS} <= targets


def test_all_runs_whatever_is_run_anywhere_but_the_proof() -> None:
    run = set(RUNS["all"])
    part_of = {tier.name: tier.part_of for tier in TIERS}
    assert {name for name in part_of if not run & {name, part_of[name]}} == {"proof"}


def test_a_run_ends_with_the_minutes_of_each_tier_and_the_command_for_the_others() -> None:
    names = RUNS["test"]
    ran = [Ran(BY_NAME[name], passed=name != "fast", seconds=90.0) for name in names[:3]]
    lines = summary(ran, names)
    assert [line.split()[:4] for line in lines[:3]] == [
        ["set-up", "passed", "1.5", "min"],
        ["lint", "passed", "1.5", "min"],
        ["fast", "FAILED", "1.5", "min"],
    ]
    assert lines[3].split() == ["in", "all", "4.5", "min"]
    assert lines[4:7] == ["not begun: java", "not begun: smoke", "not begun: pages"]
    assert [line.rpartition(": ")[2] for line in lines[7:]] == [
        "make test-engines TURNS=",
        "make test-drills TURNS=",
        "make test-browser",
        "make proof",
    ]


def test_what_a_run_leaves_out_is_never_a_part_of_what_it_runs() -> None:
    assert [tier.name for tier in left_out(RUNS["turns"])] == [
        "lint",
        "fast",
        "java",
        "smoke",
        "engines",
        "drills",
        "proof",
    ]
