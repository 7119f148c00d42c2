"""What Kafka and Kafka Connect have in common: one folder of jars, small heaps, the JMX agent, plain logs."""

from importlib.resources import files

from lakeproof.install import artifacts, java
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

# Quick to start and small on two shared cores; a broker that is out of memory must die, not limp.
FLAGS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Xshare:auto",
    "-Djava.awt.headless=true",
)


def argv(stack: Stack, component: str, heap: tuple[str, ...], main: str, *arguments: str) -> tuple[str, ...]:
    """The command line of one JVM of this family: agent on the component's port "jmx", log settings, jars, main."""
    etc = stack.etc_dir(component)
    agent = artifacts.path("jmx-agent") / "jmx_prometheus_javaagent.jar"
    address = f"{stack.settings.host}:{stack.port(component, 'jmx')}"
    return (
        str(java.find_java(17)),
        *heap,
        *FLAGS,
        f"-javaagent:{agent}={address}:{etc / 'jmx.yml'}",
        f"-Dlog4j2.configurationFile={etc / 'log4j2.properties'}",
        "-cp",
        f"{artifacts.path('kafka') / 'libs'}/*",
        main,
        *arguments,
    )


def write_agent_and_logs(stack: Stack, component: str, levels: dict[str, str], *, rules: str | None = None) -> None:
    """Write jmx.yml (stack/engines/jmx/RULES.yml) and log4j2.properties; `levels`: logger → level, root is INFO."""
    etc = stack.etc_dir(component)
    exported = files("lakeproof.stack.engines").joinpath("jmx", f"{rules or component}.yml")
    write_file(etc / "jmx.yml", exported.read_text(encoding="utf-8"))
    write_file(etc / "log4j2.properties", log4j2(levels))


def log4j2(levels: dict[str, str]) -> str:
    """Log settings: everything to standard output, which the supervisor keeps."""
    lines = [
        "status = error",
        "appender.out.type = Console",
        "appender.out.name = out",
        "appender.out.layout.type = PatternLayout",
        "appender.out.layout.pattern = %d{ISO8601} %p %m (%c{1})%n",
        "rootLogger.level = info",
        "rootLogger.appenderRef.out.ref = out",
    ]
    for number, (name, level) in enumerate(sorted(levels.items())):
        lines += [f"logger.l{number}.name = {name}", f"logger.l{number}.level = {level}"]
    return "\n".join(lines) + "\n"
