"""scripts/bootstrap.sh on machines that lack something: said before any download, and nothing changed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import REPOSITORY

# What a bare Debian has; no Python, no Java, no apt-get (a test adds what it needs).
PLAIN_PROGRAMS = (
    *("awk", "cat", "cut", "date", "df", "dirname", "dpkg", "env", "find", "flock", "grep", "head", "id", "ls"),
    *("mkdir", "printf", "readlink", "rm", "sed", "sh", "sha256sum", "sort", "tail", "tee", "chmod", "tr", "uname"),
)


class Machine:
    """A machine with its own system root and its own PATH."""

    def __init__(self, folder: Path) -> None:
        self.system = folder / "system"
        self.programs = folder / "programs"
        self.home = folder / "home"
        self.clone = folder / "the-clone"
        for path in (
            self.system / "etc/ssl/certs",
            self.system / "usr/sbin",
            self.programs,
            self.home,
            self.clone / "src",
        ):
            path.mkdir(parents=True)
        (self.system / "etc/ssl/certs/ca-certificates.crt").touch()
        for name in PLAIN_PROGRAMS:
            found = shutil.which(name)
            if found:
                (self.programs / name).symlink_to(found)
        shutil.copytree(REPOSITORY / "scripts" / "bootstrap", self.clone / "scripts" / "bootstrap")
        shutil.copy2(REPOSITORY / "scripts" / "bootstrap.sh", self.clone / "scripts" / "bootstrap.sh")
        shutil.copytree(REPOSITORY / "third_party", self.clone / "third_party")
        for name in ("uv.lock", "pyproject.toml"):
            shutil.copy2(REPOSITORY / name, self.clone / name)

    def is_debian(self, version: str) -> None:
        (self.system / "etc/os-release").write_text(f'ID=debian\nVERSION_ID="{version}"\n')

    def is_ready(self) -> None:
        """A Debian whose apt has all that is wanted, and whoever types is root."""
        self.is_debian("13")
        self.has_program("apt-get")
        self.has_program("id", "echo 0")

    def has_program(self, name: str, script: str = "exit 1") -> None:
        path = self.programs / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def bootstrap(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """The script where there is no terminal."""
        return self._run(subprocess.DEVNULL, arguments, environment)

    def bootstrap_at_a_terminal(self, answer: str) -> subprocess.CompletedProcess[str]:
        """The script where a person sits and answers its question."""
        person, terminal = os.openpty()
        try:
            os.write(person, f"{answer}\n".encode())
            return self._run(terminal, (), {})
        finally:
            os.close(person)
            os.close(terminal)

    def _run(
        self, stdin: int, arguments: tuple[str, ...], environment: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", str(self.clone / "scripts" / "bootstrap.sh"), *arguments],
            env={
                "PATH": str(self.programs),
                "HOME": str(self.home),
                "LAKEPROOF_SYSTEM_ROOT": str(self.system),
                **environment,
            },
            stdin=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def is_untouched(self) -> bool:
        return not any(self.home.iterdir()) and not (self.clone / ".venv").exists()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_debian_12_without_python_and_jdk_is_told_both_before_any_download(machine: Machine) -> None:
    machine.is_debian("12")
    machine.has_program("apt-get")
    done = machine.bootstrap("--yes")
    assert done.returncode == 1
    assert "no Python >= 3.12" in done.stderr
    assert "Temurin 25" in done.stderr and "JAVA_HOME" in done.stderr
    assert "Nothing was downloaded or changed." in done.stderr
    assert machine.is_untouched()


def has_jdk(machine: Machine, version: str, home: Path | None = None) -> None:
    home = home or machine.system / "usr/lib/jvm" / f"jdk-{version}"
    (home / "bin").mkdir(parents=True)
    for name in ("java", "javac"):
        (home / "bin" / name).write_text("#!/bin/sh\n")
        (home / "bin" / name).chmod(0o755)
    (home / "release").write_text(f'JAVA_VERSION="{version}"\nMODULES="java.base jdk.incubator.vector"\n')


def test_a_jdk_that_is_too_old_is_as_none_although_it_has_the_module(machine: Machine) -> None:
    machine.is_debian("12")
    machine.has_program("apt-get")
    has_jdk(machine, "21.0.7")
    has_jdk(machine, "23.0.2")
    refused = machine.bootstrap("--yes")
    assert refused.returncode == 1
    assert "Temurin 25" in refused.stderr
    assert machine.is_untouched()
    has_jdk(machine, "24")
    # Python is still missing, the JDK no more.
    later = machine.bootstrap("--yes")
    assert "no Python >= 3.12" in later.stderr
    assert "Temurin" not in later.stderr


def test_debian_13_gets_both_from_apt_and_a_no_at_the_terminal_changes_nothing(machine: Machine) -> None:
    machine.is_ready()
    done = machine.bootstrap_at_a_terminal("n")
    assert "openjdk-25-jdk-headless" in done.stderr
    assert "python3-venv" in done.stderr
    assert "flink 1.20.3" in done.stderr
    assert "MB to download" in done.stderr and "minutes" in done.stderr
    assert done.returncode == 1
    assert "Go on? [y/N]" in done.stderr and "you said no; nothing was changed" in done.stderr
    assert machine.is_untouched()


def test_without_a_terminal_it_prints_the_plan_and_goes_on(machine: Machine) -> None:
    machine.is_debian("13")
    machine.has_program("apt-get", f"echo $* >>{machine.home}/asked; exit 1")
    machine.has_program("id", "echo 0")
    done = machine.bootstrap()
    plan, going_on = done.stderr.index("MB to download"), done.stderr.index("going on: the input is no terminal")
    assert plan < going_on
    assert "Go on?" not in done.stderr
    assert (machine.home / "asked").read_text()  # apt-get was called


def test_without_root_and_sudo_the_command_for_root_is_named(machine: Machine) -> None:
    machine.is_debian("13")
    machine.has_program("apt-get")
    machine.has_program("id", "echo 1000")
    done = machine.bootstrap("--yes")
    assert done.returncode == 1
    assert "neither root nor is there sudo" in done.stderr
    assert "apt-get install --no-install-recommends" in done.stderr


def test_another_processor_is_refused(machine: Machine) -> None:
    machine.is_debian("13")
    machine.has_program("apt-get")
    machine.has_program("uname", "case $1 in -m) echo aarch64 ;; *) echo Linux ;; esac")
    done = machine.bootstrap("--yes")
    assert done.returncode == 1
    assert "Linux on aarch64" in done.stderr


def test_a_disk_too_small_is_said_with_both_figures(machine: Machine) -> None:
    machine.is_ready()
    machine.has_program("df", "echo head; echo /dev/x 100 1 2000 1% /")
    done = machine.bootstrap("--yes")
    assert done.returncode == 1
    assert "2 MB are free" in done.stderr and "LAKEPROOF_CACHE" in done.stderr


def test_a_jdk_that_is_there_is_not_asked_for(machine: Machine) -> None:
    machine.is_debian("12")
    machine.has_program("apt-get")
    has_jdk(machine, "25.0.3", home=machine.home / "jdk")
    done = machine.bootstrap("--yes", JAVA_HOME=str(machine.home / "jdk"))
    assert "Temurin" not in done.stderr
    assert "no Python >= 3.12" in done.stderr


def test_the_fast_tests_alone_need_no_jdk_and_no_engine(machine: Machine) -> None:
    machine.is_ready()
    done = machine.bootstrap("--for", "dev")
    assert "python3-venv" in done.stderr
    # promtool and amtool come with them; where they are missing tests are skipped.
    assert {"prometheus", "prometheus-alertmanager"} <= set(done.stderr.split())
    assert not any(word in done.stderr for word in ("openjdk", "mariadb", "flink", "maven"))


def test_wrong_arguments_are_wrong_usage(machine: Machine) -> None:
    assert machine.bootstrap("--for", "fun").returncode == 2
    assert machine.bootstrap("--what").returncode == 2
    assert machine.bootstrap("--for").returncode == 2


def test_every_script_is_plain_posix_shell() -> None:
    for script in [REPOSITORY / "scripts" / "bootstrap.sh", REPOSITORY / "scripts" / "bare_check.sh"]:
        assert subprocess.run(["sh", "-n", script], check=False).returncode == 0
    assert os.access(REPOSITORY / "scripts" / "bootstrap.sh", os.X_OK)


def test_without_a_python_yet_it_lists_what_it_will_fetch_and_nothing_that_is_only_built_on_request(
    machine: Machine,
) -> None:
    machine.is_ready()
    done = machine.bootstrap("--for", "demo")
    assert "Trino with the Iceberg connector" in done.stderr
    assert "Spark" not in done.stderr


def test_a_browser_is_installed_for_tests_alone_and_only_where_apt_has_one(machine: Machine) -> None:
    machine.has_program("id", "echo 0")
    machine.has_program("apt-get")
    has_jdk(machine, "25.0.1")
    for purpose, release, wanted in (("test", "debian", True), ("demo", "debian", False), ("test", "ubuntu", False)):
        (machine.system / "etc/os-release").write_text(f'ID={release}\nVERSION_ID="25.10"\n')
        done = machine.bootstrap("--yes", "--for", purpose)
        listed = [line.split()[0] for line in done.stderr.splitlines() if line.startswith("    ")]
        assert "postgresql" in listed, done.stderr
        assert ("chromium" in listed, "chromium-driver" in listed) == (wanted, wanted), (purpose, release)
