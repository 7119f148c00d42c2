"""One resolved stack: its settings, folders, ports, endpoints and secrets. Values only; it starts nothing.

Probes, faults, mitigations and checks get their endpoints here, so that they work as well against servers that
somebody else runs (mode "external").
"""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lakeproof.errors import InvalidInput
from lakeproof.stack import secrets
from lakeproof.stack.settings import Settings, load_settings


@dataclass(frozen=True)
class Stack:
    """Everything that a component's pure functions may ask for."""

    settings: Settings

    @property
    def name(self) -> str:
        """The stack's name."""
        return self.settings.name

    @cached_property
    def state_dir(self) -> Path:
        """Data, config, logs, ledgers and reports of this stack, absolute."""
        if self.settings.state_dir is not None:
            return self.settings.state_dir.absolute()
        if os.geteuid() == 0:
            return Path("/var/lib/lakeproof") / self.name
        base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local/state")
        return Path(base) / "lakeproof" / self.name

    def data_dir(self, component: str) -> Path:
        """Where a component keeps what must survive."""
        return self.state_dir / "data" / component

    def etc_dir(self, component: str) -> Path:
        """Where a component's generated configuration lies."""
        return self.state_dir / "etc" / component

    def log_path(self, component: str) -> Path:
        """A component's log file."""
        return self.state_dir / "log" / f"{component}.log"

    @property
    def ledger_dir(self) -> Path:
        """The shoppers' ledgers, one file per run."""
        return self.state_dir / "ledger"

    @property
    def reports_dir(self) -> Path:
        """Reports of drills, one folder each."""
        return self.state_dir / "reports"

    def port(self, component: str, kind: str = "http") -> int:
        """The local port of a component's endpoint (usual port + shift).

        Raises: InvalidInput for a name or kind that does not exist.
        """
        from lakeproof.stack.components import find

        ports = find(component).ports
        if kind not in ports:
            raise InvalidInput(f"no endpoint {kind!r}", where=component, next_action=f"one of {', '.join(ports)}")
        return ports[kind] + self.settings.port_shift

    def address(self, component: str, kind: str = "http") -> str:
        """`host:port` of an endpoint: from `endpoints` in the settings, else the local process's."""
        given = self.settings.endpoints.get(component, {}).get(kind)
        return given or f"{self.settings.host}:{self.port(component, kind)}"

    def url(self, component: str, kind: str = "http") -> str:
        """`http://host:port` of an endpoint, without a slash at the end."""
        address = self.address(component, kind)
        return address.rstrip("/") if "://" in address else f"http://{address}"

    def host_port(self, component: str, kind: str = "tcp") -> tuple[str, int]:
        """An endpoint as (host, port)."""
        host, _, port = self.address(component, kind).removeprefix("http://").rpartition(":")
        return host, int(port)

    @cached_property
    def _secrets(self) -> dict[str, str]:
        made = {} if self.settings.mode == "external" else secrets.load_or_make(self.state_dir / "secrets.json")
        return made | self.settings.secrets

    def secret(self, name: str) -> str:
        """A password or key by name (stack/secrets.py lists them).

        Raises: InvalidInput where an external stack was not given it.
        """
        try:
            return self._secrets[name]
        except KeyError:
            raise InvalidInput(
                "no such secret",
                where=name,
                next_action=f'set it under [secrets] as "{name}" in lakeproof.toml',
            ) from None

    def has_secret(self, name: str) -> bool:
        """True where `secret` gives it: an external stack has only those that it was given."""
        return name in self._secrets


def load_stack() -> Stack:
    """The stack that the settings describe. Raises: InvalidInput."""
    return Stack(load_settings())
