"""Reading YAML: a text as plain values, a file as a checked model."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from lakeproof.errors import InvalidInput

# libyaml's loader, where PyYAML was built with it: it reads all scenarios in a tenth of the time, and every command
# reads them.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_yaml(text: str) -> Any:
    """The text's one document. Raises: yaml.YAMLError."""
    return yaml.load(text, Loader=_LOADER)


def read_yaml[T: BaseModel](path: Path, model: type[T]) -> T:
    """The file as that model. Raises: InvalidInput naming the file, the key and what is wrong with it."""
    try:
        data: Any = load_yaml(path.read_text(encoding="utf-8"))
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
