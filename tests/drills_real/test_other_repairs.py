"""`drill repairs` on the real engines: every repair that a truth accepts and no diagnosis proposes helps as well."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakeproof.drills.other_repairs import other_repairs
from lakeproof.proof.findings import WRONG
from lakeproof.repairs.running import step_in_words
from lakeproof.scenarios.catalog import load_catalog

SERIES_SECONDS = 3600
pytestmark = [pytest.mark.proof, pytest.mark.drills, pytest.mark.timeout(SERIES_SECONDS + 60)]

type Run = Callable[..., Any]


def test_each_repair_that_is_accepted_and_not_proposed_mends_its_incident(lakeproof: Run, tmp_path: Path) -> None:
    done = lakeproof("drill", "repairs", "--report", str(tmp_path), seconds=SERIES_SECONDS, folder=tmp_path)
    print(*((row["scenario"], row["repaired_by"], row["seconds"]) for row in done.report["drills"]), sep="\n")
    assert (done.code, done.report["verdict"]) == (0, "passed"), [row["reasons"] for row in done.report["drills"]]

    played = {Path(row["report"]).parent: row for row in done.report["drills"]}
    wanted = other_repairs(load_catalog())
    assert sorted(map(str, played)) == sorted(wanted)
    for folder, row in played.items():
        other = wanted[str(folder)]
        # The arguments in whatever order, and those besides that a step has by default.
        for asked, ran in zip(other.steps, row["repaired_by"], strict=True):
            assert set(step_in_words(asked.id, asked.arguments).split()) <= set(ran.split()), str(folder)
        one = json.loads((tmp_path / row["report"]).read_text())
        counts = {name: one["data"][name] for name in WRONG}
        # Of a stack without an inventory nobody can say whether it oversold.
        assert counts.pop("oversold") in (0, None), str(folder)
        assert set(counts.values()) == {0}, (str(folder), counts)
        assert one["residue"] == [], str(folder)
