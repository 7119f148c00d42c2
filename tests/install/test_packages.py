"""scripts/bootstrap/packages.sh, with apt and dpkg as fakes: nothing started, nothing left behind."""

import os
import subprocess
from pathlib import Path

import pytest

from .conftest import REPOSITORY, MakeProgram

# The fake apt-get notes its words, and what policy-rc.d answers while it works.
FAKE_APT = """
root=SYSTEM
echo "apt-get $*" >>$root/calls
if [ -x $root/usr/sbin/policy-rc.d ]; then
    $root/usr/sbin/policy-rc.d mariadb start
    echo "policy $?" >>$root/calls
fi
if [ -e $root/locked ]; then
    rm $root/locked
    echo "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 77 (unattended-upgr)"
    exit 100
fi
if [ -e $root/fails ]; then echo "E: Unable to fetch some archives"; exit 100; fi
"""


@pytest.fixture
def system(tmp_path: Path, make_program: MakeProgram) -> Path:
    """A system root of the test's own, with fakes for what would change the machine."""
    root = tmp_path / "system"
    for folder in ("usr/sbin", "var/lib/dpkg/updates", "var/lib/apt/lists", "etc", "run"):
        (root / folder).mkdir(parents=True)
    (root / "var/lib/apt/lists/x_Packages").touch()
    make_program("apt-get", FAKE_APT.replace("SYSTEM", str(root)))
    make_program("dpkg", f'echo "dpkg $*" >>{root}/calls')
    make_program("id", "echo 0")
    make_program("systemctl", f'echo "systemctl $*" >>{root}/calls')
    make_program("sleep", "true")
    return root


def run(system: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a piece of shell with the functions loaded, as bootstrap.sh has them."""
    loaded = f"""
    set -eu
    LOG={system}/log
    TAB=$(printf '\\t')
    say() {{ echo "$*" >&2; }}
    die() {{ echo "error: $1. Next: $2" >&2; exit 1; }}
    . {REPOSITORY}/scripts/bootstrap/requirements.sh
    . {REPOSITORY}/scripts/bootstrap/packages.sh
    {script}
    """
    return subprocess.run(
        ["sh", "-c", loaded],
        env={**os.environ, "LAKEPROOF_SYSTEM_ROOT": str(system)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def calls(system: Path) -> list[str]:
    path = system / "calls"
    return path.read_text().splitlines() if path.exists() else []


def test_only_packages_whose_program_is_absent_are_listed(system: Path, tmp_path: Path) -> None:
    table = tmp_path / "apt.tsv"
    table.write_text(
        "# comment\nsh\tdash\t1\ta shell\nno-such-program\tpack\t7\ta reason\nnor-this\tpack\t7\ta reason\n"
    )
    done = run(system, f"missing_packages {table}")
    assert done.stdout == "pack\t7\ta reason\n"


def test_services_are_not_started_and_no_policy_is_left(system: Path) -> None:
    done = run(system, "install_packages mariadb-server")
    assert done.returncode == 0, done.stderr
    assert "policy 101" in calls(system)
    assert list((system / "usr/sbin").iterdir()) == []


def test_postgresql_makes_no_cluster_while_apt_works_and_may_afterwards(
    system: Path, make_program: MakeProgram
) -> None:
    folder = system / "etc/postgresql-common"
    made = folder / "createcluster.d/lakeproof.conf"
    make_program("apt-get", f"cat {made} >>{system}/calls")
    done = run(system, "install_packages postgresql")
    assert done.returncode == 0, done.stderr
    assert "create_main_cluster = false" in calls(system)
    assert not folder.exists()


def test_what_a_killed_run_forbade_postgresql_is_allowed_again_by_the_next(system: Path) -> None:
    (system / "etc/postgresql-common").mkdir()
    own = system / "etc/postgresql-common/createcluster.conf"
    own.touch()
    run(system, "forbid_service_starts; kill -9 $$")
    assert (system / "etc/postgresql-common/createcluster.d/lakeproof.conf").exists()
    run(system, "install_packages")
    assert list((system / "etc/postgresql-common").iterdir()) == [own]


def test_a_program_of_postgresql_is_found_whatever_its_version(system: Path, tmp_path: Path) -> None:
    table = tmp_path / "apt.tsv"
    table.write_text("postgres-of-a-test\tpostgresql\t45\ta database\n")
    assert run(system, f"missing_packages {table}").stdout == "postgresql\t45\ta database\n"
    program = system / "usr/lib/postgresql/17/bin/postgres-of-a-test"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert run(system, f"missing_packages {table}").stdout == ""


def test_a_policy_that_was_there_before_is_put_back(system: Path) -> None:
    policy = system / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 104\n")
    policy.chmod(0o755)
    run(system, "install_packages mariadb-server")
    assert "policy 101" in calls(system)
    assert policy.read_text() == "#!/bin/sh\nexit 104\n"


def test_a_policy_that_refuses_already_is_left_alone(system: Path) -> None:
    policy = system / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    run(system, "install_packages mariadb-server")
    assert policy.read_text() == "#!/bin/sh\nexit 101\n"


def test_the_policy_of_a_killed_run_ends_by_itself_and_is_removed_by_the_next(system: Path) -> None:
    run(system, "forbid_service_starts; kill -9 $$")
    policy = system / "usr/sbin/policy-rc.d"
    assert subprocess.run([policy], check=False).returncode == 101
    os.utime(policy, (1, 1))
    assert subprocess.run([policy], check=False).returncode == 0
    run(system, "install_packages")
    assert not policy.exists()


def test_an_interrupted_dpkg_is_completed_first(system: Path) -> None:
    (system / "var/lib/dpkg/updates/0001").touch()
    done = run(system, "install_packages prometheus")
    assert "completed first" in done.stderr
    told = [line for line in calls(system) if not line.startswith("policy")]
    assert told[0] == "dpkg --configure -a"
    assert "--fix-broken" in told[1]
    assert told[2].endswith("install --no-install-recommends prometheus")


def test_a_lock_of_another_apt_is_waited_for_and_its_holder_named(system: Path) -> None:
    (system / "locked").touch()
    done = run(system, "install_packages prometheus")
    assert done.returncode == 0
    assert "held by process 77" in done.stderr


def test_a_lock_that_never_frees_ends_the_wait(system: Path) -> None:
    done = run(system, f"APT_LOCK_WAIT_SECONDS=0; touch {system}/locked; run_apt install x || echo gave up")
    assert "gave up" in done.stdout


def test_old_lists_are_updated_before_and_fresh_ones_are_not(system: Path) -> None:
    run(system, "install_packages prometheus")
    assert not any(line.endswith(" update") for line in calls(system))
    os.utime(system / "var/lib/apt/lists/x_Packages", (1, 1))
    run(system, "install_packages prometheus")
    assert any(line.endswith(" update") for line in calls(system))


def test_a_failing_apt_is_tried_twice_and_its_words_are_told(system: Path) -> None:
    (system / "fails").touch()
    done = run(system, "trap allow_service_starts EXIT; install_packages prometheus")
    assert done.returncode == 1
    assert "apt-get install failed: E: Unable to fetch some archives" in done.stderr
    assert sum("install --no" in line for line in calls(system)) == 2
    assert list((system / "usr/sbin").iterdir()) == []


def test_where_systemd_runs_new_services_do_not_start_at_the_next_boot(system: Path) -> None:
    run(system, "disable_services mariadb-server maven")
    assert calls(system) == []
    (system / "run/systemd/system").mkdir(parents=True)
    run(system, "disable_services mariadb-server maven prometheus-alertmanager redis-server postgresql")
    assert calls(system) == [
        "systemctl disable --now mariadb.service",
        "systemctl disable --now prometheus-alertmanager.service",
        "systemctl disable --now redis-server.service",
        "systemctl disable --now postgresql.service",
    ]


def test_a_user_without_root_asks_sudo(system: Path, make_program: MakeProgram) -> None:
    make_program("id", "echo 1000")
    make_program("sudo", f'echo "sudo $1" >>{system}/calls; "$@"')
    run(system, "install_packages prometheus")
    assert "sudo env" in calls(system)
