"""The folders of scenarios: those in this package and those that the settings add. The folder is the list."""

from pathlib import Path

from lakeproof.errors import InvalidInput
from lakeproof.observability.scenario_homes import SCENARIO_FILE, scenario_homes, scenario_id


def scenario_folders(more: tuple[Path, ...] = ()) -> dict[str, Path]:
    """Every scenario's folder by the scenario's id, in the order of the ids.

    more: folders that hold scenario folders, or are scenario folders. Names that begin with . or _ are left out.
    Raises: InvalidInput for a folder that does not exist, a name that comes twice, or a folder without scenario.yaml.
    """
    for parent in more:
        if not parent.is_dir():
            raise InvalidInput(
                "no such folder", where=str(parent), next_action="mend scenario_dirs in lakeproof.toml"
            )
    found: dict[str, Path] = {}
    for folder in scenario_homes(more):
        if not (folder / SCENARIO_FILE).is_file():
            raise InvalidInput(
                f"no {SCENARIO_FILE} in this scenario's folder",
                where=str(folder),
                next_action=f"add {SCENARIO_FILE} with id: {scenario_id(folder)},"
                " or move the folder out of scenario_dirs",
            )
        name = scenario_id(folder)
        if name in found:
            raise InvalidInput(
                f"a scenario {name!r} is also in {found[name]}",
                where=str(folder),
                next_action="rename one of the folders",
            )
        found[name] = folder
    return dict(sorted(found.items()))
