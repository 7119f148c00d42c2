"""A reset deletes one stack, whole, and nothing that is not this stack's."""

import ast
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import lakeproof
import lakeproof_shop
from lakeproof.errors import InvalidInput
from lakeproof.processes import reset as resetting
from lakeproof.processes.client import DELETING, SupervisorClient
from lakeproof.processes.reset import entries, kept, reset
from lakeproof.stack.engines import store_disk
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def ignore(event: object) -> None:
    """No progress is wanted."""


def used(folder: Path, **settings: object) -> Stack:
    """A stack that once ran, with data, a ledger and passwords."""
    stack = Stack(Settings.model_validate({"name": "used", "state_dir": folder, **settings}))
    (stack.data_dir("mysql") / "db").mkdir(parents=True)
    (stack.data_dir("mysql") / "db" / "orders.ibd").write_bytes(b"x" * 100_000)
    stack.ledger_dir.mkdir()
    (stack.ledger_dir / "run.jsonl").write_text("{}\n")
    stack.secret("redis")
    (folder / "start.lock").touch()
    return stack


def test_it_says_what_goes_and_how_big_that_is_and_then_all_of_it_is_gone(tmp_path: Path) -> None:
    stack = used(tmp_path / "state")
    found = {entry.path.name: entry.size_bytes for entry in entries(stack)}
    assert set(found) == {"data", "ledger", "secrets.json", "secrets.lock", "start.lock"}
    assert 100_000 <= found["data"] < 200_000
    reset(stack, SupervisorClient(stack), ignore)
    assert not stack.state_dir.exists()
    assert list(tmp_path.iterdir()) == []
    assert entries(stack) == ()
    reset(stack, SupervisorClient(stack), ignore)  # safe to repeat
    assert not stack.state_dir.exists()


def names_in_the_code() -> set[str]:
    """The names that the code puts into a state folder, by `state_dir / …`; an x for what is filled in."""
    found = set()
    packages = (lakeproof.__path__[0], lakeproof_shop.__path__[0])
    for module in itertools.chain.from_iterable(Path(package).rglob("*.py") for package in packages):
        for each in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            match each:
                case ast.BinOp(ast.Attribute(attr="state_dir"), ast.Div(), ast.Constant(str(name))):
                    found.add(name)
                case ast.BinOp(ast.Attribute(attr="state_dir"), ast.Div(), ast.JoinedStr(parts)):
                    found.add("".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in parts))
                case ast.BinOp(ast.Attribute(attr="state_dir"), ast.Div(), ast.Name(name)):
                    found.add(str(getattr(resetting, name)))
    return found


def test_whatever_the_code_puts_into_a_state_folder_is_lakeproofs_own(tmp_path: Path) -> None:
    stack, names = used(tmp_path / "state"), names_in_the_code()
    assert {"data", "jobs", "kept-values", "dropped_column.json", "rename_column_back-x.json"} <= names
    for name in names:
        (stack.state_dir / name).touch()
        (stack.state_dir / f"{name}.1234.partial").touch()  # its writer was killed
    assert names <= {entry.path.name for entry in entries(stack)}


def test_a_folder_that_a_file_system_is_mounted_on_stays_and_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = used(tmp_path / "state")
    monkeypatch.setattr(Path, "is_mount", lambda path: path == stack.state_dir)
    reset(stack, SupervisorClient(stack), ignore)
    assert list(stack.state_dir.iterdir()) == []
    assert entries(stack) == ()


def test_a_disk_that_a_fault_mounted_is_taken_off_before_its_folder_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = used(tmp_path / "state")
    disk = store_disk.disk_folder(stack)
    disk.mkdir(parents=True)
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(Path, "is_mount", lambda path: path == disk and not ran)
    monkeypatch.setattr(store_disk, "_command", lambda *words, **said: ran.append((*words, str(disk.exists()))))
    reset(stack, SupervisorClient(stack), ignore)
    assert ran == [("umount", str(disk), "True")]
    assert not disk.exists()


def test_a_running_stack_is_stopped_first_and_starts_empty_afterwards(fresh: SupervisorClient) -> None:
    fresh.up(["base"])
    pid = fresh.row("base").pid
    mark = fresh.stack.data_dir("base") / "kept"
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    reset(fresh.stack, fresh, ignore)
    assert not fresh.running() and not fresh.stack.state_dir.exists() and not fresh.runtime.folder.exists()
    assert pid is not None and not Path(f"/proc/{pid}").exists()
    assert fresh.up(["base"])
    assert not mark.exists()


def test_the_data_of_a_stack_that_runs_under_another_path_are_not_deleted(
    fresh: SupervisorClient, tmp_path: Path
) -> None:
    """Name and path decide which stack is meant, so `down` finds nothing to stop; they were deleted all the same."""
    fresh.up(["base"])
    (tmp_path / "link").symlink_to(fresh.stack.state_dir.parent)
    spelled = tmp_path / "link" / fresh.stack.state_dir.name
    for again in ({"state_dir": spelled}, {"name": "second"}):
        other = Stack(fresh.stack.settings.model_copy(update=again))
        with pytest.raises(InvalidInput, match="a supervisor runs on it"):
            reset(other, SupervisorClient(other, fresh.components), ignore)
    assert fresh.running() and fresh.stack.data_dir("base").parent.parent.exists()


def test_what_the_settings_keep_inside_the_state_folder_is_not_said_to_stay(tmp_path: Path) -> None:
    inside = used(tmp_path / "state", desk_url=f"sqlite:///{tmp_path}/state/data/desk.sqlite")
    assert kept(inside) == ()
    beside = used(tmp_path / "third", support={"support_attachment_dir": str(tmp_path / "third-files")})
    assert kept(beside) == (f"support.support_attachment_dir = {tmp_path / 'third-files'}",)
    outside = used(tmp_path / "other", desk_url="postgresql://desk:secret@db/desk")
    assert kept(outside) == ("desk_url = postgresql://…@db/desk",)


def test_a_hunts_journal_is_a_part_of_the_stack(tmp_path: Path) -> None:
    stack = used(tmp_path / "state")
    (stack.state_dir / "hunts").mkdir()
    reset(stack, SupervisorClient(stack), ignore)
    assert not stack.state_dir.exists()


def test_sockets_outside_of_the_state_folder_go_too(tmp_path: Path) -> None:
    stack = used(tmp_path / ("long" * 30) / "state")
    other = Path(tempfile.gettempdir()) / "lakeproof-mysql-of-another"
    sockets = [*resetting.sockets_outside(stack)]
    assert len(sockets) == 2 and not any(each.is_relative_to(tmp_path) for each in sockets)
    try:
        for folder in (*sockets, other):
            folder.mkdir(exist_ok=True)
        assert set(sockets) < {entry.path for entry in entries(stack)}
        reset(stack, SupervisorClient(stack), ignore)
        assert not any(each.exists() for each in sockets)
        assert other.exists()
    finally:
        for folder in (*sockets, other):
            shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("moment", ["rename", "rmtree", "unlink"])
def test_after_a_kill_half_way_up_refuses_and_the_next_reset_finishes(tmp_path: Path, moment: str) -> None:
    """The process dies by SIGKILL at that call: among the moves, amid the deletion, or just before the end."""
    stack = used(tmp_path / "state")
    script = f"""
import os, shutil, signal, sys
from pathlib import Path
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.reset import reset
from lakeproof.stack.stack import load_stack
calls = 0
def die_at(kind, name, count):
    real = getattr(kind, name)
    def call(*args, **more):
        global calls
        calls += 1
        if calls == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **more)
    setattr(kind, name, call)
if {moment!r} == "rmtree":
    die_at(os, "unlink", 2)
elif {moment!r} == "rename":
    die_at(Path, "rename", 2)
else:
    die_at(Path, "unlink", 1)
stack = load_stack()
reset(stack, SupervisorClient(stack), print)
"""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LAKEPROOF_")}
    environment |= {"LAKEPROOF_NAME": "used", "LAKEPROOF_STATE_DIR": str(stack.state_dir)}
    died = subprocess.run([sys.executable, "-c", script], env=environment, cwd=tmp_path, timeout=60, check=False)
    assert died.returncode == -9
    client = SupervisorClient(stack)
    if moment == "unlink":  # everything is gone but the mark
        assert [each.name for each in stack.state_dir.iterdir()] == ["start.lock"]
    else:
        assert (stack.state_dir / DELETING).exists()
        with pytest.raises(InvalidInput, match=r"cut off half-way.*lakeproof reset"):
            client.up(["redis"])
    reset(stack, client, ignore)
    assert not stack.state_dir.exists()


def test_somebody_else_s_stack_is_refused(tmp_path: Path) -> None:
    stack = used(tmp_path / "state", mode="external", secrets={"redis": "x"})
    with pytest.raises(InvalidInput, match="mode external"):
        reset(stack, SupervisorClient(stack), ignore)
    assert stack.data_dir("mysql").exists()


def test_a_symbolic_link_is_refused_in_the_state_folder_s_place_and_inside(tmp_path: Path) -> None:
    stack = used(tmp_path / "state")
    (tmp_path / "link").symlink_to(stack.state_dir)
    linked = Stack(Settings(name="used", state_dir=tmp_path / "link"))
    with pytest.raises(InvalidInput, match="symbolic link"):
        reset(linked, SupervisorClient(linked), ignore)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (stack.state_dir / "etc").symlink_to(elsewhere)
    with pytest.raises(InvalidInput, match="did not make etc"):
        reset(stack, SupervisorClient(stack), ignore)
    assert stack.data_dir("mysql").exists() and elsewhere.exists()


@pytest.mark.parametrize("place", ["/", "home", "above home", "here", "foreign", "no stack", "file"])
def test_a_folder_that_is_not_a_stack_s_is_refused(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, here, mine = tmp_path / "above" / "home", tmp_path / "here", tmp_path / "mine"
    for folder in (home, here, mine):
        folder.mkdir(parents=True)
        (folder / "start.lock").touch()
        (folder / "data").mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    (tmp_path / "file").touch()
    places = {"/": Path("/"), "home": home, "above home": home.parent, "here": here, "file": tmp_path / "file"}
    if place == "foreign":
        (mine / "thesis.odt").touch()
    if place == "no stack":
        (mine / "start.lock").unlink()
    stack = Stack(Settings(name="used", state_dir=places.get(place, mine)))
    with pytest.raises(InvalidInput, match=r"nothing is deleted: .*Next: ") as refused:
        reset(stack, SupervisorClient(stack), ignore)
    assert refused.value.exit_code == 2
    assert all((folder / "data").is_dir() for folder in (home, here, mine))


def test_what_the_settings_put_elsewhere_stays_and_is_named(tmp_path: Path) -> None:
    stack = used(tmp_path / "state", support={"support_attachment_dir": str(tmp_path / "files")})
    (tmp_path / "files").mkdir()
    assert kept(stack) == (f"support.support_attachment_dir = {tmp_path / 'files'}",)
    reset(stack, SupervisorClient(stack), ignore)
    assert (tmp_path / "files").is_dir()
