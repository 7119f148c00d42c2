"""What one build of one artifact works with: its recipe, its unfinished folder, its log, its progress."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lakeproof.install.cache import logs_dir
from lakeproof.install.lock import LockedFile
from lakeproof.install.progress import Progress
from lakeproof.install.recipe import Recipe

_LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Amount:
    """How far something is: `done` of `total` (0 when unknown); bytes where the unit is "MB"."""

    done: int
    total: int
    unit: str


@dataclass
class Workplace:
    """Handed to every step. `came` collects the fetched files by place, to be compared with the lock."""

    recipe: Recipe
    folder: Path
    locked: dict[str, LockedFile]
    progress: Progress
    stop: threading.Event
    relock: bool = False
    offline: bool = False
    came: dict[str, LockedFile] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        """The file to which the programs that a step calls write."""
        return logs_dir() / f"{self.recipe.name}.log"

    def say(self, text: str) -> None:
        """One line of progress."""
        self.progress.report(self.recipe.name, text)

    def received(self, file: LockedFile) -> None:
        """Remember a fetched file."""
        self.came[file.path] = file

    @contextmanager
    def watched(self, look: Callable[[], Amount]) -> Iterator[None]:
        """While the block runs, report what `look` gives about once a second."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(_LOOK_SECONDS):
                amount = look()
                self.progress.amount(self.recipe.name, amount.done, amount.total, amount.unit)

        watcher = threading.Thread(target=watch, name=f"watch-{self.recipe.name}", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()


def bytes_under(folder: Path, suffixes: tuple[str, ...] = ()) -> int:
    """Bytes of all files below a folder that may change meanwhile; `suffixes` limits to names that contain one."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            if suffixes and not any(suffix in name for suffix in suffixes):
                continue
            try:
                total += os.stat(os.path.join(parent, name)).st_size  # noqa: PTH116, PTH118 - hot loop
            except OSError:
                continue
    return total
