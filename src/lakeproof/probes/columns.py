"""Questions about the columns of each source: does the database have what the job's SQL declares, and no more?"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from lakeproof.errors import CouldNotLook, NotReady
from lakeproof.lake.capture.columns import Difference, Differences, look
from lakeproof.lake.sources.source import SOURCES, Source
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.probe import Probe
from lakeproof.probes.prometheus import instant
from lakeproof.probes.reading import Value
from lakeproof.stack.stack import Stack

NONE = "none"


def _look(stack: Stack, timeout: float, source: Source) -> Differences:
    try:
        return look(stack, source, timeout)
    except NotReady as error:
        raise CouldNotLook(error.what, where=source.engine) from error


def _named(found: Iterable[Difference]) -> str:
    return " ".join(sorted(str(each) for each in found)) or NONE


def unexpected_columns(stack: Stack, timeout: float, source: Source) -> Value:
    """`table.column` of each column that the SQL does not declare, sorted, joined by spaces; "none"."""
    return _named(_look(stack, timeout, source).without_renamed.unexpected)


def unreadable_columns(stack: Stack, timeout: float, source: Source) -> Value:
    """As `unexpected_columns`, of each declared column whose type has values that the job cannot read."""
    return _named(each for each in _look(stack, timeout, source).without_renamed.unreadable if each.kind is not None)


def missing_columns(stack: Stack, timeout: float, source: Source) -> Value:
    """As `unexpected_columns`, of each declared column that is missing, also under another name."""
    return _named(each for each in _look(stack, timeout, source).without_renamed.unreadable if each.kind is None)


def renamed_columns(stack: Stack, timeout: float, source: Source) -> Value:
    """`table.column→name now` of each declared column that has another name, joined by spaces; "none"."""
    return " ".join(f"{gone}→{new.column}" for gone, new in _look(stack, timeout, source).renamed) or NONE


def fields_left_out(stack: Stack, timeout: float, source: Source) -> Value:
    """How many undeclared fields the job has met since it was started; None where it does not tell."""
    told = [value for _, value in instant(stack, _left_out(source), timeout)]
    return int(max(told)) if told else None


def _left_out(source: Source) -> str:
    return f'max(lakeproof_aligner_unexpectedColumns{{job_name="{source.job}"}})'


def _probes(source: Source) -> Iterator[Probe]:
    kinds: tuple[tuple[str, str, Callable[..., Value]], ...] = (
        ("unexpected", "information_schema.columns against lake/jobs: not declared there", unexpected_columns),
        ("unreadable", "information_schema.columns against lake/jobs: of another type", unreadable_columns),
        ("missing", "information_schema.columns against lake/jobs: declared there and gone", missing_columns),
        ("renamed", "information_schema.columns against lake/jobs: one gone, one new in its place", renamed_columns),
    )
    for kind, query, ask in kinds:
        yield Probe(
            f"{source.name}-{kind}-columns",
            source.engine,
            query,
            "",
            partial(ask, source=source),
            Condition(Operator.IS, NONE),
            always=True,
            within=source.capture,
            steady=True,
        )
    yield Probe(
        f"{source.name}-fields-left-out",
        "prometheus",
        _left_out(source),
        "fields",
        partial(fields_left_out, source=source),
        about=source.about("flink-taskmanager"),
        within=source.capture,
    )


PROBES = tuple(probe for source in SOURCES for probe in _probes(source))
