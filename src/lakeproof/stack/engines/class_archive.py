"""Archives of loaded classes (AppCDS): a JVM that finds one need not parse and verify its classes, and starts sooner.

Set-up writes them into its cache (processes/class_training.py), where every stack of the user finds them. An archive
fits one JVM build and one class path. Its name has a digest of both, since a JVM that is given another one's archive
only warns and starts without. Traps: a JVM with an agent needs a diagnostic flag, when it writes and when it reads; a
class path may hold jars only, no folders; classes of other loaders (Connect's plugins, Flink's jobs) are not kept.
"""

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from glob import glob
from pathlib import Path

from lakeproof.install.cache import cache_dir

# The components whose JVMs write an archive, in groups that are started together: each needs those before it.
TRAINED = (
    ("kafka", "connect"),
    ("flink-jobmanager", "flink-taskmanager", "flink-sql-gateway"),
    ("nessie",),
    ("trino",),
    ("cassandra-seed",),
)
WRITES = "-XX:ArchiveClassesAtExit="
# The first four bytes of an archive. The JVM writes them last, so an archive that has them is whole.
MAGIC = 0xF00BABA8.to_bytes(4, "little")
# Archives of other versions are removed after this long without use; each takes 30 to 130 MB.
UNUSED_SECONDS = 14 * 86_400.0
KEY_LENGTH = 12
# An empty file with this suffix says that this JVM ended as it should and wrote no archive. It is not told again to
# write one.
NONE_WRITTEN = ".none"
_BOTH = (
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:+AllowArchivingWithJavaAgent",
    # Else the JVM logs a warning for each class that it cannot keep: thousands.
    "-Xlog:cds=off",
    "-Xlog:cds+dynamic=off",
)
_writing = ContextVar("writing", default=False)


def archive_flags(engine: str, java: Path, class_path: str) -> tuple[str, ...]:
    """Flags by which a JVM reads the engine's archive; none where there is no archive.

    class_path: as it is given to the JVM, FOLDER/* allowed. An archive that is cut short is removed, so that the next
    set-up writes it anew.
    """
    stem = f"{engine}-{_key(java, class_path)}"
    archive = _whole_archive(stem)
    if archive is not None:
        return (*_BOTH, f"-XX:SharedArchiveFile={archive}")
    writes = _writing.get() and not (folder() / f"{stem}{NONE_WRITTEN}").exists()
    return (*_BOTH, f"{WRITES}{folder() / stem}.new") if writes else ()


@contextmanager
def writing() -> Iterator[None]:
    """In the block `archive_flags` makes a JVM that has no archive write one when it ends, which takes seconds."""
    before = _writing.set(True)
    try:
        yield
    finally:
        _writing.reset(before)


def keep(new: Path) -> bool:
    """Rename a newly written archive, so that JVMs find it, and give True; remove it where it is not whole."""
    is_whole = new.is_file() and _begins_with_magic(new)
    if is_whole:
        new.rename(new.with_suffix(f".{new.stat().st_size}.jsa"))
    new.unlink(missing_ok=True)
    return is_whole


def remove_unused() -> None:
    """Remove archives, and notes that none was written, which no JVM has needed for UNUSED_SECONDS."""
    for path in (*folder().glob("*.jsa"), *folder().glob(f"*{NONE_WRITTEN}")):
        if time.time() - path.stat().st_mtime > UNUSED_SECONDS:
            path.unlink()


def folder() -> Path:
    """Where archives lie, beside set-up's artifacts."""
    path = cache_dir() / "classes"
    path.mkdir(parents=True, exist_ok=True)
    return path


def _whole_archive(stem: str) -> Path | None:
    """The archive, if it has the size that its name says."""
    for archive in (cache_dir() / "classes").glob(f"{stem}.*.jsa"):
        try:
            if archive.name == f"{stem}.{archive.stat().st_size}.jsa":
                os.utime(archive)
                return archive
            archive.unlink()
        except OSError:  # a cache that cannot be written to, or another process was quicker
            continue
    return None


def _begins_with_magic(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC


def _key(java: Path, class_path: str) -> str:
    """A digest of what an archive depends on: the JVM, and each jar's path, size and time."""
    seen = hashlib.sha256()
    release = java.resolve().parents[1] / "release"
    jars = [Path(name) for entry in class_path.split(":") for name in sorted(glob(entry))]  # noqa: PTH207
    for path in (java.resolve(), release, *jars):
        if path.exists():
            stat = path.stat()
            seen.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
    return seen.hexdigest()[:KEY_LENGTH]
