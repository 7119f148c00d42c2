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


def test_an_empty_state_folder_is_not_the_folder_that_one_is_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEPROOF_STATE_DIR", "")
    assert find_place() is None  # `ps` asks for all settings then
    with pytest.raises(InvalidInput, match=r"state_dir: .*empty: it would be the folder that you are in"):
        load_settings()


def test_a_state_folder_below_a_relative_one_is_absolute_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", "here")
    assert state_dir_of("default", None) == Path.cwd() / "here" / "lakeproof" / "default"


def test_an_unknown_key_is_refused_by_name() -> None:
    write("port_shfit = 5\n")
    with pytest.raises(InvalidInput, match="port_shfit"):
        load_settings()


def test_broken_toml_names_the_file() -> None:
    write("port_shift = = 5\n")
    with pytest.raises(InvalidInput, match=r"lakeproof\.toml: not valid TOML: .*line 1, column 14"):
        load_settings()


def test_a_file_of_another_encoding_names_the_place() -> None:
    Path("lakeproof.toml").write_bytes(b'name = "x"\n# caf\xe9\n')
    with pytest.raises(InvalidInput, match=r"not UTF-8 \(at line 2, column 6\)"):
        load_settings()


def test_a_folder_in_the_file_s_place_is_refused() -> None:
    Path("lakeproof.toml").mkdir()
    with pytest.raises(InvalidInput, match=r"lakeproof\.toml: cannot be read: Is a directory"):
        load_settings()


def test_a_file_that_cannot_be_read_is_refused() -> None:
    Path("lakeproof.toml").symlink_to("lakeproof.toml")  # a circle: unreadable for root too
    with pytest.raises(InvalidInput, match=r"lakeproof\.toml: cannot be read: Too many levels"):
        load_settings()


def test_an_endpoint_of_an_unknown_component_is_refused_with_the_closest_one() -> None:
    write('[endpoints.conect]\nhttp = "10.0.0.5:8083"\n')
    with pytest.raises(InvalidInput, match=r"\[endpoints\.conect\]: no component 'conect', closest: 'connect'"):
        load_settings()


def test_no_shifted_port_leaves_the_range() -> None:
    ports = [METRICS_PORT, *(port for one in all_components().values() for port in one.ports.values())]
    assert max(ports) + PORT_SHIFT_MAX <= 65535


@pytest.mark.parametrize(
    "text",
    [
        "port_shift = 70000",
        "port_shift = -1",
        "[shop]\nrequest_seconds = -1",
        "[shop]\nrequest_seconds = nan",
        "[shop]\nmax_body_bytes = 10_000_000_000",
        "[lake]\naudit_seconds = inf",
        "[lake]\nreadable_seconds = 1_000_000_000",
        '[endpoints.mysql]\ntcp = "host:70000"',
        '[endpoints.mysql]\ntcp = "host:0"',
    ],
)
def test_a_number_out_of_bounds_is_refused(text: str) -> None:
    write(text + "\n")
    with pytest.raises(InvalidInput, match=r"lakeproof\.toml"):
        load_settings()


def test_audits_are_never_so_far_apart_that_their_alert_fires_in_between() -> None:
    write("[lake]\naudit_seconds = 301\n")
    with pytest.raises(InvalidInput, match="301 is more than 200: LakeAuditStale would fire"):
        load_settings()


def test_a_wrong_value_names_its_key() -> None:
    write('port_shift = "many"\n')
    with pytest.raises(InvalidInput, match="port_shift"):
        load_settings()


def test_a_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEPROOF_PORTSHIFT", "7")
    with pytest.raises(InvalidInput, match="LAKEPROOF_PORTSHIFT"):
        load_settings()


def test_a_config_file_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEPROOF_CONFIG", "nowhere.toml")
    with pytest.raises(InvalidInput, match="nowhere"):
        load_settings()


def test_a_list_that_is_no_json_says_what_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEPROOF_SCENARIO_DIRS", "/some/folder")
    with pytest.raises(InvalidInput, match=r"LAKEPROOF_SCENARIO_DIRS.*JSON"):
        load_settings()


def test_servers_listen_on_loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEPROOF_HOST", "0.0.0.0")
    with pytest.raises(InvalidInput, match="host"):
        load_settings()


def test_an_endpoint_without_a_port_is_refused_by_its_name() -> None:
    write('[endpoints.mysql]\ntcp = "foo"\n')
    with pytest.raises(InvalidInput, match=r"mysql\.tcp is 'foo'; wanted host:port"):
        load_settings()


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


def test_a_misspelt_value_of_a_table_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEPROOF_LAKE__CHECKPONT_SECONDS", "3")
    with pytest.raises(InvalidInput, match=r"lake\.checkpont_seconds"):
        load_settings()
