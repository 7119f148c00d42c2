"""README says that every wrong fix that `drill wrong` tries is on record as turned down."""

from pathlib import Path

from lakeproof.drills.wrong_series import wrong_fixes
from lakeproof.scenarios.catalog import load_catalog

RECORD = Path(__file__).parent.parent / "docs/proof/wrong-fixes.md"


def test_every_wrong_fix_is_on_record_as_turned_down_and_no_other() -> None:
    rows = [[cell.strip() for cell in line.split("|")] for line in RECORD.read_text().splitlines()]
    turned_down = {(row[1], row[2]) for row in rows if row[3:4] == ["yes"]}
    assert turned_down == {(scenario.name, fix.id) for scenario, fix in wrong_fixes(load_catalog())}
