"""One resolved stack: its settings, folders, ports, endpoints and secrets. Values only; it starts nothing.

Probes, faults, mitigations and checks get their endpoints here, so that they work as well against servers that
somebody else runs (mode "external").
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lakeproof.errors import InvalidInput
from lakeproof.stack import secrets
from lakeproof.stack.addresses import USUAL_PORTS, is_address
from lakeproof.stack.place import state_dir_of
from lakeproof.unknown_name import unknown_name

if TYPE_CHECKING:  # pydantic, which checks settings, would double the time of a short command
    from lakeproof.stack.settings import Settings

# The desk runs on this machine even where the stack is somebody else's: `lakeproof serve` starts it.
_RUNS_HERE = frozenset({"desk"})


@dataclass(frozen=True)
class Stack:
    """Everything that a component's pure functions may ask for."""

    settings: "Settings"

    @property
    def name(self) -> str:
        """The stack's name."""
        return self.settings.name

    @cached_property
    def state_dir(self) -> Path:
        """Data, config, logs, ledgers and reports of this stack, absolute."""
        return state_dir_of(self.name, self.settings.state_dir)

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
        ports = USUAL_PORTS.get(component)
        if ports is None:
            raise unknown_name("component", component, USUAL_PORTS)
        if kind not in ports:
            raise InvalidInput(f"no endpoint {kind!r}", where=component, next_action=f"one of {', '.join(ports)}")
        return ports[kind] + self.settings.port_shift

    def has_endpoint(self, component: str, kind: str = "http") -> bool:
        """True for every endpoint of a local stack; an external stack has those alone that its settings give."""
        return self.settings.mode == "local" or kind in self.settings.endpoints.get(component, {})

    def address(self, component: str, kind: str = "http") -> str:
        """`host:port` of an endpoint: from `endpoints` in the settings, else the local process's.

        Raises: InvalidInput for a name or kind that does not exist, and for an endpoint that an external stack was
        not given. What answers at the usual port of this machine belongs to another stack, which must not be asked,
        or broken, by mistake.
        """
        given = self.settings.endpoints.get(component, {}).get(kind)
        if given:
            return given
        port = self.port(component, kind)
        if component not in _RUNS_HERE and not self.has_endpoint(component, kind):
            raise InvalidInput(
                f"somebody else's stack (mode external) was given no {kind} endpoint of it",
                where=component,
                next_action=f'set {kind} = "host:port" under [endpoints.{component}] in lakeproof.toml, or'
                f""" LAKEPROOF_ENDPOINTS='{{"{component}": {{"{kind}": "host:port"}}}}'""",
            )
        return f"{self.settings.host}:{port}"

    def at(self, component: str, url: str) -> "Stack":
        """This stack with another http endpoint for one component: what a script's --base-url gives.

        Where the URL's host is the component's name (http://connect:8083, as in compose) the stack stays as it is.
        Raises: InvalidInput where it is neither http(s)://… nor host:port.
        """
        try:
            parts = urlsplit(url)
            is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:  # a port that is none, brackets that do not close
            is_url = False
        if not is_url and not is_address(url):
            raise InvalidInput("not an address", where=url, next_action="give it as http://host:port")
        if is_url and parts.hostname == component:
            return self
        endpoints = self.settings.endpoints
        merged = endpoints | {component: endpoints.get(component, {}) | {"http": url}}
        return Stack(self.settings.model_copy(update={"endpoints": merged}))

    def url(self, component: str, kind: str = "http") -> str:
        """`http://host:port` of an endpoint, without a slash at the end."""
        address = self.address(component, kind)
        return address.rstrip("/") if "://" in address else f"http://{address}"

    def host_port(self, component: str, kind: str = "tcp") -> tuple[str, int]:
        """An endpoint as (host, port)."""
        parts = urlsplit(self.url(component, kind))
        return str(parts.hostname), int(parts.port or 0)

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

    def account(self, secret: str, usual: str) -> str:
        """The user whose password `secret` is: as `accounts` in the settings has it, else `usual`."""
        return self.settings.accounts.get(secret, usual)

    def has_secret(self, name: str) -> bool:
        """True where `secret` has a value of that name; an external stack has those alone that its settings give."""
        return name in self._secrets


def load_stack() -> Stack:
    """The stack that the settings describe. Raises: InvalidInput."""
    from lakeproof.stack.settings import load_settings

    return Stack(load_settings())
