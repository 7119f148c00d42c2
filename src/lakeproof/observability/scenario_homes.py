"""Where scenarios lie: in a folder of this package, and in those that the settings add."""

from collections.abc import Iterable
from pathlib import Path

SCENARIOS = Path(__file__).parents[2] / "lakeproof_shop" / "scenarios"
SCENARIO_FILE = "scenario.yaml"
# A folder of `scenario_dirs` that holds one of these is meant to be a scenario itself.
OF_A_SCENARIO = (
    SCENARIO_FILE,
    *("causes.yaml", "truth.yaml", "alerts.yml", "alerts.test.yml", "runbook.vi.md", "runbook.en.md"),
)


def scenario_id(home: Path) -> str:
    """The id of the scenario in that folder: a folder that is a Python package has _ where the id has -."""
    return home.name.replace("_", "-")


def scenario_homes(further: Iterable[Path] = ()) -> list[Path]:
    """Every folder that is meant to be a scenario, ours first; nothing is checked (`load_catalog` does that).

    `further`: folders that hold scenario folders, or are one themselves; one that does not exist holds none. Names
    that begin with . or _ are left out.
    """
    homes: list[Path] = []
    for parent in (SCENARIOS, *further):
        if any((parent / name).is_file() for name in OF_A_SCENARIO):
            homes.append(parent)
        elif parent.is_dir():
            homes += sorted(child for child in parent.iterdir() if child.is_dir() and child.name[0] not in "._")
    return homes


def find_scenario(name: str, further: Iterable[Path] = ()) -> Path | None:
    """That scenario's folder. `name` is compared with ids of folders, never used as a path."""
    homes = (home for home in scenario_homes(further) if scenario_id(home) == name)
    return next((home for home in homes if (home / SCENARIO_FILE).is_file()), None)
