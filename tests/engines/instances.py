"""A service of the shop as a process of the test's own, beside the supervisor: several at once, or made to crash."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from lakeproof.deadline import Deadline

_SERVE = (
    "import importlib, sys, uvicorn; from lakeproof_shop.serving.traces import log_as_json;"
    "from lakeproof.stack.stack import load_stack; log_as_json();"
    "module, stack = importlib.import_module(sys.argv[1]), load_stack();"
    "app = (module.main(stack) if hasattr(module, 'main')"
    " else module.create_app(stack.settings.shop, module.surroundings_of(stack)));"
    "uvicorn.run(app, host='127.0.0.1', port=int(sys.argv[2]), log_config=None, access_log=False,"
    " timeout_graceful_shutdown=3)"
)


@dataclass
class Instance:
    """One running process."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def client(self, timeout: float = 20.0) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=timeout, trust_env=False)

    def wait_until_healthy(self) -> "Instance":
        def look() -> bool | None:
            if self.process.poll() is not None:
                raise AssertionError(f"it ended: {self.log.read_text()[-2000:]}")
            try:
                return True if httpx.get(f"{self.url}/health", trust_env=False).status_code == 200 else None
            except httpx.HTTPError:
                return None

        Deadline(60).wait_for("a healthy instance", look, every=0.1)
        return self

    def wait_for_its_death(self, code: int) -> None:
        Deadline(60).wait_for("its death", lambda: True if self.process.poll() is not None else None, every=0.05)
        assert self.process.returncode == code, self.log.read_text()[-2000:]


@contextmanager
def instance(module: str, environment: Mapping[str, str] | None = None) -> Iterator[Instance]:
    """`module` has `main(stack)`, or what that is made of; the environment names the stack. Killed at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, module, str(port)],
            env={**os.environ, **(environment or {})},
            stdout=log,
            stderr=log,
        )
        try:
            yield Instance(process, f"http://127.0.0.1:{port}", Path(log.name))
        finally:
            process.kill()
            process.wait()
