"""What servers on a JVM have in common: flags for a small machine, the JMX agent on the port "jmx", plain logs."""

from collections.abc import Mapping
from importlib.resources import files

from lakeproof.install import artifacts
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

# Quick to start and small on two shared cores: C2 was measured, and took more than it gave (docs/decisions/0034). A
# server that is out of memory must die, not limp.
FLAGS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError")
LOG_PATTERN = "%d{ISO8601} %p %m (%c{1})%n"


def agent_flag(stack: Stack, component: str) -> str:
    """The argument that exports a JVM's beans on the component's port "jmx". Raises: MissingArtifact."""
    jar = artifacts.path("jmx-agent") / "jmx_prometheus_javaagent.jar"
    address = f"{stack.settings.host}:{stack.port(component, 'jmx')}"
    return f"-javaagent:{jar}={address}:{stack.etc_dir(component) / 'jmx.yml'}"


def write_agent_rules(stack: Stack, component: str, rules: str) -> None:
    """Write jmx.yml, which says what the agent exports: stack/engines/jmx/RULES.yml."""
    exported = files("lakeproof.stack.engines").joinpath("jmx", f"{rules}.yml")
    write_file(stack.etc_dir(component) / "jmx.yml", exported.read_text(encoding="utf-8"))


def properties_text(properties: Mapping[str, str]) -> str:
    """A .properties file; for names and values in which nothing needs an escape."""
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def log4j2(levels: Mapping[str, str], *, root: str = "info", pattern: str = LOG_PATTERN) -> str:
    """log4j2.properties: everything to standard output, which the supervisor keeps; `levels`: logger → level."""
    lines = [
        "status = error",
        "appender.out.type = Console",
        "appender.out.name = out",
        "appender.out.layout.type = PatternLayout",
        f"appender.out.layout.pattern = {pattern}",
        f"rootLogger.level = {root}",
        "rootLogger.appenderRef.out.ref = out",
    ]
    for number, (name, level) in enumerate(levels.items()):
        lines += [f"logger.l{number}.name = {name}", f"logger.l{number}.level = {level}"]
    return "\n".join(lines) + "\n"
