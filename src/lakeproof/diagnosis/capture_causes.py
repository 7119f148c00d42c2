"""A cause that each capture can have: written once, for MariaDB's capture, and made for PostgreSQL's by renaming.

MariaDB's probes, components and arguments are exchanged for PostgreSQL's where PostgreSQL has its own. The texts name
each capture by `{connector}`, `{database}`, `{server}` and `{job}`. So the two causes are told apart, and each repair
acts on its own capture.
"""

from collections.abc import Container, Iterable

from lakeproof.diagnosis.cause_file import CauseModel, EvidenceModel, StepModel
from lakeproof.probes.captures import ORDERS, SHOPS, Capture

EACH = "each capture"
SERVERS = {ORDERS.connector: "MariaDB", SHOPS.connector: "PostgreSQL"}
# MariaDB's probe → PostgreSQL's probe of the same kind, where its id does not just begin with `shop-`.
PROBES = {"database-answers": "postgres-answers"}
COMPONENTS = {ORDERS.database.engine: SHOPS.database.engine, ORDERS.exporter: SHOPS.exporter}
ARGUMENTS = {
    "connector": {ORDERS.connector: SHOPS.connector},
    "database": {ORDERS.database.name: SHOPS.database.name},
    "component": COMPONENTS,
}


def of_each(models: Iterable[CauseModel], probes: Container[str]) -> list[CauseModel]:
    """The models; one that is `of: each capture` comes once for each capture. `probes`: the ids of all probes."""
    given = list(models)
    shared = {model.id for model in given if model.of == EACH}
    return [one for model in given for one in ([model] if model.of is None else _pair(model, shared, probes))]


def _pair(model: CauseModel, shared: Container[str], probes: Container[str]) -> list[CauseModel]:
    return [_told(model, ORDERS), _told(_of_shop(model, shared, probes), SHOPS)]


def _told(model: CauseModel, of: Capture) -> CauseModel:
    words = {
        "connector": of.connector,
        "database": of.database.name,
        "server": SERVERS[of.connector],
        "job": of.database.job_name,
    }
    says = model.says.model_copy(update={"vi": model.says.vi.format(**words), "en": model.says.en.format(**words)})
    return model.model_copy(update={"of": None, "connector": of.connector, "says": says})


def _of_shop(model: CauseModel, shared: Container[str], probes: Container[str]) -> CauseModel:
    def probe(name: str) -> str:
        return SHOPS.named(name) if SHOPS.named(name) in probes else PROBES.get(name, name)

    def evidence(items: list[EvidenceModel]) -> list[EvidenceModel]:
        return [item.model_copy(update={"probe": probe(item.probe)}) for item in items]

    def causes(names: list[str]) -> list[str]:
        return [own_id(name) if name in shared else name for name in names]

    taken_along = [f"{SHOPS.exporter.replace('-', '_')}_down"] if model.stops_with_capture else []
    return model.model_copy(
        update={
            "id": own_id(model.id),
            "necessary": evidence(model.necessary),
            "supporting": evidence(model.supporting),
            "contradicting": evidence(model.contradicting),
            "masked_by": causes(model.masked_by) + taken_along,
            "masks": causes(model.masks),
            "masked_by_components": [COMPONENTS.get(name, name) for name in model.masked_by_components],
            "explains": [probe(name) for name in model.explains],
            "repairs": [_step(step) for step in model.repairs],
        }
    )


def own_id(cause: str) -> str:
    """The id of PostgreSQL's cause of that kind."""
    return f"{SHOPS.connector}_{cause}"


def _step(step: StepModel) -> StepModel:
    exchanged = {name: ARGUMENTS.get(name, {}).get(str(value), value) for name, value in step.args.items()}
    return step.model_copy(update={"args": exchanged})
