"""schemathesis over a running service's OpenAPI: no server error, no answer that it does not tell of."""

import subprocess
import sys
from pathlib import Path

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def assert_it_keeps_its_openapi(url: str, *more: str) -> None:
    """Raises: AssertionError with what was found."""
    run = subprocess.run(
        [
            str(Path(sys.executable).parent / "schemathesis"),
            "run",
            f"{url}/openapi.json",
            f"--checks={CHECKS}",
            "--max-examples=25",
            "--seed=1",
            "--phases=examples,coverage,fuzzing,stateful",
            *more,
        ],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-1000:]
