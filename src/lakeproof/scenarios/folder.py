"""The folders of scenarios: those in this package and those that the settings add. The folder is the list."""

from pathlib import Path

from lakeproof.errors import InvalidInput

HERE = Path(__file__).parent
SCENARIO_FILE = "scenario.yaml"
# A folder of `scenario_dirs` that holds one of these is meant to be a scenario itself.
OF_A_SCENARIO = ("causes.yaml", "truth.yaml", "alerts.yml", "alerts.test.yml", "runbook.vi.md", "runbook.en.md")


def scenario_folders(more: tuple[Path, ...] = ()) -> dict[str, Path]:
    """Folder name → folder, of every scenario's folder, in the order of the names.

    `more`: folders that hold scenario folders, or are one themselves. Names that begin with . or _ are left out.
    Raises: InvalidInput for a folder that does not exist, a name that comes twice, or a folder without scenario.yaml.
    """
    found: dict[str, Path] = {}
    for parent in (HERE, *more):
        if not parent.is_dir():
            raise InvalidInput(
                "no such folder", where=str(parent), next_action="mend scenario_dirs in lakeproof.toml"
            )
        if (parent / SCENARIO_FILE).is_file():
            folders = [parent]
        elif parent != HERE and _looks_like_one(parent):
            raise _without_scenario(parent)
        else:
            folders = sorted(child for child in parent.iterdir() if child.is_dir() and child.name[0] not in "._")
        for folder in folders:
            if not (folder / SCENARIO_FILE).is_file():
                raise _without_scenario(folder)
            if folder.name in found:
                raise InvalidInput(
                    f"a scenario {folder.name!r} is also in {found[folder.name]}",
                    where=str(folder),
                    next_action="rename one of the folders",
                )
            found[folder.name] = folder
    return dict(sorted(found.items()))


def _looks_like_one(folder: Path) -> bool:
    return any((folder / name).exists() for name in OF_A_SCENARIO)


def _without_scenario(folder: Path) -> InvalidInput:
    return InvalidInput(
        f"no {SCENARIO_FILE} in this scenario's folder",
        where=str(folder),
        next_action=f"add {SCENARIO_FILE} with id: {folder.name}, or move the folder out of scenario_dirs",
    )
