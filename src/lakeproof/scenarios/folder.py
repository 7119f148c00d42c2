"""The folders of scenarios: those in this package and those that the settings add. The folder is the list."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from lakeproof.errors import InvalidInput

HERE = Path(__file__).parent
SCENARIO_FILE = "scenario.yaml"


def scenario_folders(more: tuple[Path, ...] = ()) -> dict[str, Path]:
    """Folder name → folder, of every folder that holds a scenario.yaml, in the order of the names.

    `more`: folders that hold scenario folders, or are one themselves.
    Raises: InvalidInput for a folder that does not exist or a name that comes twice.
    """
    found: dict[str, Path] = {}
    for parent in (HERE, *more):
        if not parent.is_dir():
            raise InvalidInput(
                "no such folder", where=str(parent), next_action="mend scenario_dirs in lakeproof.toml"
            )
        own = [parent] if (parent / SCENARIO_FILE).is_file() else []
        for folder in [*own, *sorted(child for child in parent.iterdir() if child.is_dir())]:
            if not (folder / SCENARIO_FILE).is_file():
                continue
            if folder.name in found:
                raise InvalidInput(
                    f"a scenario {folder.name!r} is also in {found[folder.name]}",
                    where=str(folder),
                    next_action="rename one of the folders",
                )
            found[folder.name] = folder
    return dict(sorted(found.items()))


def read_yaml[T: BaseModel](path: Path, model: type[T]) -> T:
    """A YAML file as a checked model. Raises: InvalidInput naming the file, the key and what is wrong with it."""
    try:
        data: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InvalidInput("no such file", where=str(path), next_action="add it") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(f"not valid YAML: {error}", where=str(path), next_action="correct that line") from error
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InvalidInput(f"{key}: {first['msg']}", where=str(path), next_action=f"correct {key}") from error
