"""Writes class archives (stack/engines/class_archive.py) at set-up: each JVM that has no archive is started once.

The JVM runs on a scratch stack up to its first answer. When it then ends cleanly, it writes the classes that it has
loaded. A JVM in a user's stack writes no archive: that takes seconds of CPU, and a start with recording is slower.
"""

import asyncio
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, LakeproofError, MissingArtifact, PortTaken, TerminalError
from lakeproof.install.cache import cache_dir, hold_artifact
from lakeproof.install.java import NoJava
from lakeproof.install.progress import Progress
from lakeproof.processes import ports, process
from lakeproof.processes.environment import child_environment
from lakeproof.processes.runtime import Runtime
from lakeproof.stack.component import Command, Component
from lakeproof.stack.components import all_components
from lakeproof.stack.engines.class_archive import NONE_WRITTEN, TRAINED, WRITES, keep, remove_unused, writing
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

NAME = "classes"
AT_A_TIME = 2
ASK_SECONDS = 2.0
LOOK_SECONDS = 0.2
# The JVM writes some 50 MB before it ends: 3 s on an idle core, 20 s beside a whole stack.
END_SECONDS = 120.0
SHIFTS = range(21_000, 45_000, 1_000)
_DUMPING = threading.Lock()


def train(progress: Progress) -> None:
    """Write the archives that are missing. One that cannot be written is only reported: its JVM runs without it."""
    with (
        hold_artifact(NAME, waiting=lambda holder: progress.report(NAME, f"{holder} writes them; waiting")),
        tempfile.TemporaryDirectory(prefix="lakeproof-classes-") as folder,
        writing(),
    ):
        components = [[all_components()[name] for name in group] for group in TRAINED]
        stack = Stack(Settings(name="classes", state_dir=Path(folder), port_shift=_free_shift(components)))
        missing = [group for group in components if any(_lacks(one, stack) for one in group)]
        if missing:
            progress.report(NAME, "starting each JVM once, so that later starts are quicker")
            asyncio.run(_train_all(missing, stack, progress))
            remove_unused()


def _free_shift(groups: Sequence[Sequence[Component]]) -> int:
    """A shift of the usual ports to ports that are all free. Raises: TerminalError where there is none."""
    for shift in SHIFTS:
        try:
            for group in groups:
                ports.check_free(group, Stack(Settings(port_shift=shift)), supervisor=False)
        except PortTaken:
            continue
        return shift
    raise TerminalError("no free ports", where="writing class archives", next_action="end what listens there")


def _lacks(component: Component, stack: Stack) -> bool:
    try:
        try:
            command = component.command(stack)
        except FileNotFoundError:  # `prepare` makes a file that this command reads; elsewhere it may take seconds
            command = _prepared_command(component, stack)
    except (MissingArtifact, NoJava):  # the component cannot be started at all
        return False
    return _written_by(command) is not None


def _prepared_command(component: Component, stack: Stack) -> Command:
    if component.prepare is not None:
        component.prepare(stack)
    stack.data_dir(component.name).mkdir(parents=True, exist_ok=True)
    return component.command(stack)


def _have_base_archive(java: Path) -> None:
    """Write the archive of the JDK's own classes where it is missing (PyPI's Java): an engine's archive needs it.

    The dump goes to another name first, so that a dump that was killed leaves nothing that looks like an archive.
    Raises: OSError; CouldNotLook where the dump does not end in time.
    """
    home = java.resolve().parents[1]
    archive = home / "lib" / "server" / "classes.jsa"
    with _DUMPING:  # two JVMs are started at a time, and both may belong to one Java installation
        if not home.is_relative_to(cache_dir().resolve()) or archive.exists():
            return
        new = archive.with_suffix(".new")
        argv = [str(java), "-Xshare:dump", f"-XX:SharedArchiveFile={new}"]
        try:
            done = subprocess.run(argv, capture_output=True, timeout=END_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            new.unlink(missing_ok=True)
            raise CouldNotLook(f"no archive of its own within {END_SECONDS:.0f} s", where=str(java)) from error
        if done.returncode == 0 and new.exists():
            new.rename(archive)


def _written_by(command: Command) -> Path | None:
    """The archive that a JVM with this command writes at its end."""
    return next((Path(word.removeprefix(WRITES)) for word in command.argv if word.startswith(WRITES)), None)


async def _train_all(groups: Sequence[Sequence[Component]], stack: Stack, progress: Progress) -> None:
    turn = asyncio.Semaphore(AT_A_TIME)

    async def train_group(group: Sequence[Component]) -> None:
        async with turn:
            try:
                await _train_group(group, stack, progress)
            except (LakeproofError, OSError) as error:
                progress.report(NAME, f"{group[-1].name}: no archive, it starts without one ({error})")

    await asyncio.gather(*(train_group(group) for group in groups))


async def _train_group(group: Sequence[Component], stack: Stack, progress: Progress) -> None:
    """Start the components one after the other, then end them in reverse order. Raises: LakeproofError, OSError."""
    running: list[tuple[Component, Command, process.Process]] = []
    try:
        for component in group:
            command = await asyncio.to_thread(_prepared_command, component, stack)
            await asyncio.to_thread(_have_base_archive, Path(command.argv[0]))
            environment = child_environment(stack, Runtime(stack).new_run_id(), component.name, command)
            started = process.start(command, environment, stack.log_path(component.name), stack.state_dir)
            running.append((component, command, started))
            await _until_ready(component, stack, started)
    finally:
        for component, command, started in reversed(running):
            was_well, ended = started.running, await _end(started)
            archive = _written_by(command)
            if archive is not None and keep(archive):
                progress.report(NAME, f"{component.name}: written")
            elif archive is not None and was_well and ended:
                archive.with_suffix(NONE_WRITTEN).touch()
                progress.report(NAME, f"{component.name}: this JVM writes none")


async def _until_ready(component: Component, stack: Stack, started: process.Process) -> None:
    deadline = Deadline(component.start_seconds)
    while started.running:
        try:
            await asyncio.to_thread(component.ready, stack, ASK_SECONDS)
        except Exception as error:  # as in Readiness: half an answer while it starts may be an error of any kind
            if deadline.expired:
                words = f"{type(error).__name__}: {error}"
                raise TerminalError(f"not ready within {deadline.seconds:.0f} s: {words}") from error
            await asyncio.sleep(LOOK_SECONDS)
        else:
            return
    raise TerminalError(f"it ended by itself ({started.exited.result()})", where=component.name)


async def _end(started: process.Process) -> bool:
    """End the process; False where it had to be killed."""
    started.signal_leader(signal.SIGTERM)
    done, _ = await asyncio.wait({started.exited}, timeout=END_SECONDS)
    if not done:
        started.signal_all(signal.SIGKILL)
        await started.exited
    return bool(done)
