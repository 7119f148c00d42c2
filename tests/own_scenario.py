"""The example of docs/your-own-scenario.md: each heading of the page names a file, its code is the content."""

import re
from pathlib import Path

from tests.commit import ROOT

NAME = "database-unwatched"
PAGE = ROOT / "docs" / "your-own-scenario.md"
FILE = re.compile(r"^### `([^`]+)`\n.*?^```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def files() -> dict[str, str]:
    """File name → content."""
    return dict(FILE.findall(PAGE.read_text(encoding="utf-8")))


def write_from_the_page(parent: Path) -> Path:
    """The scenario's folder, made in `parent`."""
    folder = parent / NAME
    folder.mkdir(parents=True)
    for name, content in files().items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder
