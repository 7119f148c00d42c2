from pathlib import Path

import pytest

from lakeproof.errors import InvalidInput
from lakeproof.processes.ports import METRICS_PORT
from lakeproof.stack.components import all_components
from lakeproof.stack.place import find_place, state_dir_of
from lakeproof.stack.settings import PORT_SHIFT_MAX, load_settings


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("LAKEPROOF_NAME", "LAKEPROOF_STATE_DIR", "LAKEPROOF_PORT_SHIFT", "LAKEPROOF_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def write(text: str) -> None:
    Path("lakeproof.toml").write_text(text)


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write('name = "fromfile"\nport_shift = 5\n[lake]\ncheckpoint_seconds = 3\n')
    monkeypatch.setenv("LAKEPROOF_PORT_SHIFT", "7")
    settings = load_settings()
    assert (settings.name, settings.port_shift, settings.lake.checkpoint_seconds) == ("fromfile", 7, 3.0)


def test_a_state_folder_below_a_relative_one_is_absolute_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", "here")
    assert state_dir_of("default", None) == Path.cwd() / "here" / "lakeproof" / "default"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("port_shfit = 5", "port_shfit"),
        ('port_shift = "many"', "port_shift"),
        ("port_shift = = 5", r"lakeproof\.toml: not valid TOML: .*line 1, column 14"),
        (b'name = "x"\n# caf\xe9\n', r"not UTF-8 \(at line 2, column 6\)"),
        ('[endpoints.conect]\nhttp = "10.0.0.5:8083"', r"no component 'conect', closest: 'connect'"),
        ('[endpoints.mysql]\ntcp = "foo"', r"mysql\.tcp is 'foo'; wanted host:port"),
        ('[endpoints.mysql]\ntcp = "host:70000"', "mysql"),
        ("[lake]\naudit_seconds = 301", "301 is more than 200: LakeAuditStale would fire"),
        ("[lake]\naudit_seconds = inf", "audit_seconds"),
    ],
)
def test_a_mistake_in_the_file_is_refused_by_its_place(text: str | bytes, told: str) -> None:
    Path("lakeproof.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidInput, match=told):
        load_settings()


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("LAKEPROOF_PORTSHIFT", "7", "LAKEPROOF_PORTSHIFT"),
        ("LAKEPROOF_LAKE__CHECKPONT_SECONDS", "3", r"lake\.checkpont_seconds"),
        ("LAKEPROOF_CONFIG", "nowhere.toml", "nowhere"),
        ("LAKEPROOF_SCENARIO_DIRS", "/some/folder", r"LAKEPROOF_SCENARIO_DIRS.*JSON"),
        ("LAKEPROOF_HOST", "0.0.0.0", "host"),
        ("LAKEPROOF_STATE_DIR", "", r"state_dir: .*empty: it would be the folder that you are in"),
    ],
)
def test_a_mistake_in_the_environment_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert variable != "LAKEPROOF_STATE_DIR" or find_place() is None  # `ps` asks for all settings then
    with pytest.raises(InvalidInput, match=told):
        load_settings()


def test_a_file_that_cannot_be_read_is_refused() -> None:
    Path("lakeproof.toml").symlink_to("lakeproof.toml")  # a circle: unreadable for root too
    with pytest.raises(InvalidInput, match=r"lakeproof\.toml: cannot be read: Too many levels"):
        load_settings()


def test_no_shifted_port_leaves_the_range() -> None:
    ports = [METRICS_PORT, *(port for one in all_components().values() for port in one.ports.values())]
    assert max(ports) + PORT_SHIFT_MAX <= 65535


def test_one_value_of_a_table_is_a_variable_and_a_whole_table_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    write("[lake]\ncheckpoint_seconds = 3\naudit_seconds = 20\n")
    monkeypatch.setenv("LAKEPROOF_LAKE", '{"audit_seconds": 30, "readable_seconds": 60}')
    monkeypatch.setenv("LAKEPROOF_LAKE__READABLE_SECONDS", "120")
    monkeypatch.setenv("LAKEPROOF_LAKE__CUT", "false")
    monkeypatch.setenv("LAKEPROOF_ENDPOINTS__CONNECT__HTTP", "far:8083")
    settings = load_settings()
    lake = settings.lake
    assert (lake.checkpoint_seconds, lake.audit_seconds, lake.readable_seconds, lake.cut) == (3, 30, 120, False)
    assert settings.endpoints == {"connect": {"http": "far:8083"}}
