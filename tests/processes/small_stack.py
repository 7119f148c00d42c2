"""Components of the supervisor's tests, and their daemon: `small_stack.py` starts it, with arguments it is a hook."""

import errno
import sys
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from lakeproof.errors import LakeproofError, MissingArtifact, NotReady, TerminalError, TransientError
from lakeproof.processes.daemon import Daemon
from lakeproof.processes.pace import Pace
from lakeproof.provisioning.__main__ import run
from lakeproof.stack.component import Command, Component, Hook, Replicas, Scrape
from lakeproof.stack.replicas import with_replicas
from lakeproof.stack.stack import Stack, load_stack

SERVER = Path(__file__).with_name("small_server.py")
QUICK = Pace(
    first_start=6.0,
    ready=0.05,
    health=0.2,
    health_over_http=0.2,
    suspect=0.1,
    restart_first=0.2,
    restart_longest=1.0,
    give_up_unhealthy=1.0,
)


def asks(port: int) -> Callable[[Stack, float], None]:
    def ready(stack: Stack, timeout: float) -> None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port + stack.settings.port_shift}/", timeout=timeout).read()
        except OSError as error:
            raise NotReady(f"no answer: {error}") from error

    return ready


def runs(port: int, *options: str) -> Callable[[Stack], Command]:
    def command(stack: Stack) -> Command:
        filled = [option.replace("STATE", str(stack.state_dir)) for option in options]
        argv = (sys.executable, "-I", "-S", str(SERVER), str(port + stack.settings.port_shift), *filled)
        return Command(argv, env={"GIVEN": "yes"})

    return command


def nowhere(stack: Stack) -> Command:
    return Command(("/nowhere/program",))


def leave_mark(name: str) -> Callable[[Stack], None]:
    def mark(stack: Stack) -> None:
        (stack.state_dir / name).write_text("done")

    return mark


def refuse(stack: Stack) -> None:
    raise TerminalError("the topic was refused", where=stack.name)


def raise_odd(stack: Stack, timeout: float) -> None:
    raise ZeroDivisionError("a bug in the question")


def fill_disk(stack: Stack) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "config.ini")


def hold_if_marked(stack: Stack) -> None:
    """As a file that another process holds; each try is written into the mark."""
    mark = stack.state_dir / "held-by-another"
    if mark.exists():
        with mark.open("a") as tries:
            tries.write("tried\n")
        raise TransientError("held by another", where="held")


def miss_artifact(stack: Stack) -> None:
    raise MissingArtifact("kafka")


def well_unless_marked(stack: Stack, timeout: float) -> None:
    if (stack.state_dir / "moody-is-ill").exists():
        raise NotReady("it is ill")


STEPS: dict[str, Mapping[Hook, Callable[[Stack], None]]] = {}


def _all() -> list[Component]:
    port = iter(range(1150, 1200))

    def make(
        name: str,
        *options: str,
        needs: tuple[str, ...] = (),
        provision_needs: tuple[str, ...] = (),
        takes_down: tuple[str, ...] = (),
        prepare: Callable[[Stack], None] | None = None,
        hooks: Mapping[Hook, Callable[[Stack], None]] | None = None,
        ready: Callable[[Stack, float], None] | None = None,
        command: Callable[[Stack], Command] | None = None,
        start_seconds: float = 20.0,
        on_demand: bool = True,
        always_goodbye: bool = False,
        stop_seconds: float = 0.4,
        nice: int = 0,
    ) -> Component:
        own = next(port)
        STEPS[name] = hooks or {}
        return Component(
            name=name,
            kind="service",
            ports={"http": own},
            command=command or runs(own, *options),
            ready=ready or asks(own),
            needs=needs,
            provision_needs=provision_needs,
            takes_down=takes_down,
            prepare=prepare,
            hooks=tuple(STEPS[name]),
            always_goodbye=always_goodbye,
            start_seconds=start_seconds,
            stop_seconds=stop_seconds,
            nice=nice,
            on_demand=on_demand,
        )

    return [
        make("base", on_demand=False),
        make("middle", needs=("base",), on_demand=False),
        make("top", needs=("middle",), on_demand=False),
        make("left", "slow=0.7"),
        make("right", "slow=0.7"),
        make("both", needs=("left", "right")),
        make("late", provision_needs=("left",), hooks={Hook.PROVISION: leave_mark("late-provisioned")}),
        make("parent", "child=STATE/child.pid"),
        make("deaf", "deaf", stop_seconds=4.0),  # time enough to be seen while it is stopped, on a busy machine too
        make("modest", "child=STATE/modest.pid", nice=7),
        make("polite", hooks={Hook.BEFORE_STOP: leave_mark("said-goodbye")}),
        make("worker", needs=("master",)),
        make("master", takes_down=("worker",)),
        make("dying", "die=3"),
        make("refused", hooks={Hook.PROVISION: refuse}),
        make("owing", command=nowhere, hooks={Hook.BEFORE_STOP: leave_mark("owing-goodbye")}, always_goodbye=True),
        make("curt", command=nowhere, hooks={Hook.BEFORE_STOP: leave_mark("curt-goodbye")}),
        make("prepared", hooks={Hook.PREPARE: leave_mark("prepared-before")}),
        make("unprepared", hooks={Hook.PREPARE: refuse}),
        make("moody", ready=well_unless_marked, start_seconds=0.6),
        make("tardy", "slow=2", start_seconds=1.0),
        make("odd", ready=raise_odd, start_seconds=0.5),
        make("full", prepare=fill_disk),
        make("held", prepare=hold_if_marked),
        make("uninstalled", prepare=miss_artifact),
        make("nowhere", command=nowhere),
    ]


def worker(number: int) -> Component:
    """Process `number` of what can be scaled; the third takes its time to end."""
    port = 1190 + number
    return Component(
        name="many" if number == 1 else f"many-{number}",
        kind="service",
        ports={"http": port},
        command=runs(port, *(("deaf",) if number == 3 else ())),
        ready=asks(port),
        scrapes=(Scrape("http"),),
        stop_seconds=1.5 if number == 3 else 0.4,
        on_demand=True,
        replicas=Replicas(worker, "its work goes on elsewhere"),
    )


def joined(stack: Stack) -> bool:
    """A further process that stays a member of base until its mark is taken away."""
    return (stack.state_dir / "joined").exists()


MEMBER = Component(
    name="member",
    kind="service",
    ports={"http": 1180},
    command=runs(1180),
    ready=asks(1180),
    needs=("base",),
    on_demand=True,
    stop_seconds=0.4,
    replica_of="base",
    lasting=joined,
)


TABLE = {component.name: component for component in with_replicas([*_all(), worker(1), MEMBER])}
DAEMON_ARGV = (sys.executable, str(Path(__file__)))


def main() -> int:
    if sys.argv[1:]:
        return run(sys.argv[1:], lambda name, hook: STEPS[name][hook])
    try:
        return Daemon(load_stack(), TABLE, hook_argv=DAEMON_ARGV, pace=QUICK).run()
    except LakeproofError as error:
        sys.stderr.write(f"{error.message}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
