"""Files written so that a reader sees the old one or the new one, never a half."""

import os
from collections.abc import Mapping
from pathlib import Path


def read_if_there(path: Path) -> str | None:
    """The file's text; None where there is no file."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def write_file(path: Path, text: str, *, mode: int = 0o644, durable: bool = False) -> None:
    """Write by an atomic rename; the file has `mode` from its first byte on.

    Several callers may write at once: the file then has one of the texts, whole.

    durable: the text is on the disk before it is seen, so that a power cut leaves no empty file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Each write has a file of its own: threads of one process write the same file too.
    partial = path.with_name(f"{path.name}.{os.urandom(4).hex()}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Return once the folder's entries are on the disk: until then a power cut may take a new file away."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Make the folder hold exactly these files (name → text)."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        write_file(folder / name, text)
    for path in folder.iterdir():
        if path.name not in files:
            path.unlink()
