"""What Kafka and Kafka Connect have in common: one folder of jars, flags, agent and logs."""

from lakeproof.install import artifacts, java
from lakeproof.stack.engines import jvm
from lakeproof.stack.engines.class_archive import archive_flags
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

FLAGS = (
    *jvm.FLAGS,
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
)


def class_path() -> str:
    """The jars of Kafka and Kafka Connect. Raises: MissingArtifact."""
    return f"{artifacts.path('kafka') / 'libs'}/*"


def argv(stack: Stack, component: str, heap: tuple[str, ...], main: str, *arguments: str) -> tuple[str, ...]:
    """The command line of Kafka's or Connect's JVM. Its agent listens on the component's port "jmx"."""
    etc, engine = stack.etc_dir(component), component.partition("-")[0]
    program = java.find_java_17()
    return (
        str(program),
        *heap,
        *FLAGS,
        *archive_flags(engine, program, class_path()),
        jvm.agent_flag(stack, component),
        f"-Dlog4j2.configurationFile={etc / 'log4j2.properties'}",
        "-cp",
        class_path(),
        main,
        *arguments,
    )


def write_agent_and_logs(stack: Stack, component: str, levels: dict[str, str], *, rules: str | None = None) -> None:
    """Write jmx.yml (stack/engines/jmx/RULES.yml) and log4j2.properties; `levels`: logger → level, root is INFO."""
    jvm.write_agent_rules(stack, component, rules or component)
    write_file(stack.etc_dir(component) / "log4j2.properties", jvm.log4j2(dict(sorted(levels.items()))))
