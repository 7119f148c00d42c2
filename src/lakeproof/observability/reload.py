"""Rules and pace of a running stack, written anew and reloaded without a restart: another timing, or new rules."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from lakeproof.errors import CouldNotLook, InvalidInput, LakeproofError, TerminalError
from lakeproof.held_file import HeldByAnother, hold
from lakeproof.observability import alertmanager, drill_windows, prometheus
from lakeproof.observability.timing import Timing
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

PROMETHEUS, ALERTMANAGER = "prometheus", "alertmanager"
RELOAD_SECONDS = 10.0


def renew(stack: Stack, timing: Timing) -> tuple[str, ...]:
    """Have Prometheus evaluate the rules that the folders hold now, and Alertmanager tell their alerts, in `timing`.

    Prometheus then also scrapes and evaluates as often as these windows need. It read its rules when it started: the
    alert of a scenario's folder that came later could never fire without this call. An alert whose window changed
    starts afresh. Gives which of the two were reloaded: none where both go by `timing` and these rules already.

    Raises: InvalidInput for an external stack, a rules file that is wrong or a window that gets too short;
    CouldNotLook where one of the two gave no answer, and TerminalError where it refused: it goes on as before, and
    the next call tries again.
    """
    if stack.settings.mode == "external":
        raise InvalidInput(
            "these rules belong to somebody else's Prometheus", where="timing", next_action="use --timing production"
        )
    renewed = (PROMETHEUS,) if _renew_rules(stack, timing) else ()
    return (*renewed, ALERTMANAGER) if _renew_pace(stack, timing) else renewed


def give_back(stack: Stack) -> tuple[str, ...]:
    """Have alerts go in the stack's own timing again. For a drill, at its end. Raises: as `renew`."""
    renewed = renew(stack, stack.settings.timing)
    drill_windows.returned(stack)
    return renewed


def give_back_abandoned(stack: Stack) -> tuple[str, ...]:
    """As `give_back`, for a drill that died before it could call that; gives what was reloaded. Raises: as `renew`.

    Called by the desk every few seconds and at the end of every `up`. Where another drill begins meanwhile nothing is
    done: the windows are that drill's business then.
    """
    if not drill_windows.abandoned(stack):
        return ()
    lock = drill_windows.lock_file(stack)
    with suppress(HeldByAnother), hold(lock, lock.read_text()):
        return give_back(stack)
    return ()


def _renew_rules(stack: Stack, timing: Timing) -> bool:
    wanted = prometheus.files_in(stack, timing)
    if wanted == prometheus.files_now(stack) and not _mark(stack, PROMETHEUS).exists():
        return False
    go_by(stack, wanted)
    return True


def go_by(stack: Stack, wanted: prometheus.Files) -> None:
    """Have Prometheus go by these files. Raises: as `renew`, with the former files in their place again."""
    old = prometheus.files_now(stack)
    with _marked(stack, PROMETHEUS):
        prometheus.write(stack, wanted)
        try:
            _reload(stack, PROMETHEUS)
        except LakeproofError:
            prometheus.write(stack, old)
            raise


def _renew_pace(stack: Stack, timing: Timing) -> bool:
    if not alertmanager.goes_at(stack, timing) or _mark(stack, ALERTMANAGER).exists():
        with _marked(stack, ALERTMANAGER):
            old = alertmanager.repace(stack, timing)
            try:
                _reload(stack, ALERTMANAGER)
            except LakeproofError:
                alertmanager.put_back(stack, old)
                raise
        return True
    return False


def _mark(stack: Stack, component: str) -> Path:
    """A file that is there while nobody knows whether the running program has what its files say."""
    return stack.etc_dir(component) / "not-reloaded-yet"


@contextmanager
def _marked(stack: Stack, component: str) -> Iterator[None]:
    """Marked until the block ends well: a reload that had no answer in time may have been done all the same."""
    mark = _mark(stack, component)
    write_file(mark, "taken away once a reload was answered\n")
    yield
    mark.unlink()


def _reload(stack: Stack, component: str) -> None:
    url = f"{stack.url(component)}/-/reload"
    try:
        answer = httpx.post(url, timeout=RELOAD_SECONDS, trust_env=False)
    except httpx.HTTPError as error:
        raise CouldNotLook(f"no answer: {type(error).__name__}", where=url, next_action="is it up?") from error
    if answer.status_code != 200:
        raise TerminalError(
            f"refused its configuration: {answer.text.strip()[:300]}",
            where=url,
            next_action=f"correct the rules or settings that it names; lakeproof logs {component} says more",
        )
