"""`make test-java`: runs a Java folder's own tests by Maven, in the local repository that set-up filled for its jar.

Maven's own Java is the one that set-up compiles with; the tests run on 17, as Flink does.
"""

import logging
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from lakeproof.errors import LakeproofError, TerminalError
from lakeproof.install.cache import hold_artifact, maven_dir
from lakeproof.install.java import find_java_17, find_vector_jdk
from lakeproof.install.maven import find_maven
from lakeproof.install.recipe import clone_dir

log = logging.getLogger(__name__)

ARTIFACT = "lake-job"
SOURCES = "java/transaction_aligner"


def run_tests(folder: Path, artifact: str = ARTIFACT, environment: Mapping[str, str] | None = None) -> int:
    """Run the tests of the profile `tests` in `folder`/pom.xml; gives how many passed.

    `artifact`: what set-up makes from that folder. `environment`: further environment variables for the tests.
    Raises: TerminalError when a test fails (Maven has said which), when none was found, or without Maven or a JDK.
    """
    reports = folder / "target" / "surefire-reports"
    shutil.rmtree(reports, ignore_errors=True)
    java = {
        "JAVA_HOME": str(find_vector_jdk().home),
        # Maven's guava calls Unsafe, which a new JDK says four lines about
        "MAVEN_OPTS": f"--sun-misc-unsafe-memory-access=allow {os.environ.get('MAVEN_OPTS', '')}",
    }
    command: list[str | Path] = [
        find_maven(),
        *("-B", "-q", "-ntp", "-C", "-f", str(folder / "pom.xml"), "-Ptests"),
        f"-Dmaven.repo.local={maven_dir(artifact)}",
        f"-Djvm={find_java_17()}",
        "test",
    ]

    def waiting(holder: str) -> None:
        log.info("%s is building %s; waiting", holder, artifact)

    with hold_artifact(artifact, waiting=waiting):
        code = subprocess.call(command, env={**os.environ, **java, **(environment or {})})
    if code:
        raise TerminalError(f"mvn test ended with code {code}", where=artifact, next_action=f"read {reports}")
    return count_passed(reports)


def count_passed(reports: Path) -> int:
    """How many tests surefire's reports tell of. Raises: TerminalError for none: then nothing was tested."""
    heads = [path.read_text(encoding="utf-8")[:2000] for path in reports.glob("TEST-*.xml")]
    count = sum(int(found[1]) for head in heads if (found := re.search(r'<testsuite\b[^>]*\btests="(\d+)"', head)))
    if not count:
        raise TerminalError("no test was run", where=str(reports))
    return count


def main() -> int:
    """Run the aligner's tests and say how many passed."""
    logging.basicConfig(level="INFO", format="%(message)s")
    started = time.monotonic()
    try:
        count = run_tests(clone_dir() / SOURCES)
    except LakeproofError as error:
        log.error("error: %s", error.message)
        return error.exit_code
    log.info("%d Java tests passed in %.0f s", count, time.monotonic() - started)
    return 0


if __name__ == "__main__":
    sys.exit(main())
