"""What Kafka and Kafka Connect have in common: one folder of jars, flags, agent and logs."""

from lakeproof.install import artifacts, java
from lakeproof.stack.engines import jvm
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

FLAGS = (
    *jvm.FLAGS,
    "-XX:-UsePerfData",
    "-Xshare:auto",
    "-Djava.awt.headless=true",
)


def argv(stack: Stack, component: str, heap: tuple[str, ...], main: str, *arguments: str) -> tuple[str, ...]:
    """The command line of one JVM of this family: agent on the component's port "jmx", log settings, jars, main."""
    etc = stack.etc_dir(component)
    return (
        str(java.find_java(17)),
        *heap,
        *FLAGS,
        jvm.agent_flag(stack, component),
        f"-Dlog4j2.configurationFile={etc / 'log4j2.properties'}",
        "-cp",
        f"{artifacts.path('kafka') / 'libs'}/*",
        main,
        *arguments,
    )


def write_agent_and_logs(stack: Stack, component: str, levels: dict[str, str], *, rules: str | None = None) -> None:
    """Write jmx.yml (stack/engines/jmx/RULES.yml) and log4j2.properties; `levels`: logger → level, root is INFO."""
    jvm.write_agent_rules(stack, component, rules or component)
    write_file(stack.etc_dir(component) / "log4j2.properties", jvm.log4j2(dict(sorted(levels.items()))))
