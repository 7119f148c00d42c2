"""What a topic is held against, by the answers that Kafka's admin client gives; the real broker's are in engines/."""

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from lakeproof.arguments import parse_arguments
from lakeproof.errors import CouldNotLook, DeadlineExpired, InvalidInput, NotReady, TerminalError
from lakeproof.lake import topic_ids, topic_settings
from lakeproof.lake.capture import topic_gap
from lakeproof.lake.job.bridging import bridging
from lakeproof.lake.job.passing_over import passes_over
from lakeproof.lake.sources.source import OLTP, SHOP, Source
from lakeproof.lake.topic_settings import ANEW, MISSING, changes, needs, require_known, require_right, restore
from lakeproof.lake.topics import find_topic, made_here, of_capture, others
from lakeproof.probes import kafka
from lakeproof.probes.kafka import other_topic_changes, topic_changes
from lakeproof.provisioning import kafka as provisioning
from lakeproof.provisioning.kafka import provision
from lakeproof.stack import provisioned
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import CDC_TOPIC, Topic
from lakeproof_shop.scenarios.connector_failure import faults
from lakeproof_shop.scenarios.connector_failure import repairs as connector_failure_repairs
from lakeproof_shop.scenarios.connector_failure.faults import ChangedTopic
from lakeproof_shop.scenarios.connector_failure.repairs import RestoreTopic

CAPTURE = find_topic(CDC_TOPIC)
WEEK = str(7 * 86_400_000)
ALL = {topic.name: topic for topic in (*of_capture(OLTP), *of_capture(SHOP), *others())}


class Broker:
    """Kafka's admin calls. `settings`: by topic; one without any is not there. `ids`: which one bears the name.
    `refusal`: of what would change something. `failure`: of every question.
    """

    def __init__(self) -> None:
        self.settings = {name: {**needs(topic), "segment.bytes": "1000"} for name, topic in ALL.items()}
        self.ids = dict.fromkeys(ALL, "first")
        self.altered: dict[str, dict[str, str]] = {}
        self.refusal: KafkaError | None = None
        self.failure: BaseException | None = None

    def _answer(self, name: str, value: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if self.failure is not None:
            future.set_exception(self.failure)
        elif name not in self.settings:
            future.set_exception(KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)))
        else:
            future.set_result(value)
        return future

    def describe_configs(self, resources: list[Any], **_: object) -> dict[Any, Future[Any]]:
        return {
            each: self._answer(
                each.name,
                {key: SimpleNamespace(value=value) for key, value in self.settings.get(each.name, {}).items()},
            )
            for each in resources
        }

    def describe_topics(self, topics: Any, **_: object) -> dict[str, Future[Any]]:
        names = [str(name) for name in topics.topic_names]
        return {name: self._answer(name, SimpleNamespace(topic_id=self.ids[name])) for name in names}

    def incremental_alter_configs(self, resources: list[Any], **_: object) -> dict[Any, Future[None]]:
        future: Future[None] = Future()
        if self.refusal is not None:
            future.set_exception(KafkaException(self.refusal))
        else:
            (resource,) = resources
            self.altered[resource.name] = {entry.name: entry.value for entry in resource.incremental_configs}
            self.settings[resource.name] |= self.altered[resource.name]
            future.set_result(None)
        return {resources[0]: future}

    def create_topics(self, topics: list[Any], **_: object) -> dict[str, Future[None]]:
        future: Future[None] = Future()
        name = topics[0].topic
        if name in self.settings:
            future.set_exception(KafkaException(KafkaError(KafkaError.TOPIC_ALREADY_EXISTS)))
        else:
            self.settings[name], self.ids[name] = {**needs(ALL[name]), **topics[0].config}, "second"
            future.set_result(None)
        return {name: future}


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    made = Broker()
    monkeypatch.setattr(kafka, "_reach", lambda *_: None)
    for module in (kafka, connector_failure_repairs, faults):
        monkeypatch.setattr(module, "admin", lambda _: made)
    monkeypatch.setattr(topic_settings, "admin_client", lambda _: made)
    monkeypatch.setattr(topic_gap, "admin_client", lambda _: made)
    monkeypatch.setattr(provisioning, "AdminClient", lambda _: made)
    monkeypatch.setattr(topic_settings, "SEEN_SECONDS", 0.2)
    return made


@pytest.fixture
def stack(tmp_path: Path, broker: Any) -> Stack:
    """Provisioned."""
    made = Stack(Settings(state_dir=tmp_path))
    provision(made)
    assert {topic_ids.noted(made, topic) for topic in made_here()} == {"first"} and broker.altered.keys() == {
        topic.name for topic in made_here()
    }
    broker.altered.clear()
    return made


@pytest.fixture
def restarted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The connectors of which what had failed was started again."""
    names: list[str] = []

    def restart(stack: Stack, name: str, *, only_failed: bool, absent_is_fine: bool) -> None:
        assert only_failed and absent_is_fine
        names.append(name)

    monkeypatch.setattr(faults, "restart", restart)
    monkeypatch.setattr(connector_failure_repairs, "restart_failed", lambda _, name: names.append(name))
    return names


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch, broker: Any) -> list[str]:
    """The jobs that were ended, each with whether its topic was there then."""
    names: list[str] = []

    @contextmanager
    def no_job(stack: Stack, source: Source, _: float) -> Iterator[None]:
        assert not passes_over(stack, source)
        names.append(f"{source.job} {source.topic in broker.settings}")
        yield
        assert passes_over(stack, source)

    monkeypatch.setattr(topic_gap, "no_job", no_job)
    return names


def told(stack: Stack, broker: Any, topic: Topic = CAPTURE) -> list[str]:
    return changes(stack, broker, [topic], 1.0).get(topic.name, [])


@pytest.mark.parametrize(
    ("key", "value", "is_told"),
    [
        ("retention.ms", "1000", True),
        ("retention.ms", str(int(WEEK) - 1), True),
        ("retention.ms", WEEK, False),
        ("retention.ms", str(2 * int(WEEK)), False),
        ("retention.ms", "-1", False),
        ("retention.bytes", "1000000000000", True),
        ("cleanup.policy", "compact", True),
        ("cleanup.policy", "compact,delete", True),
        ("max.message.bytes", "1000", True),
        ("max.message.bytes", "9000000", False),
        ("max.message.bytes", "None", True),
        ("min.insync.replicas", "2", True),
        ("message.timestamp.before.max.ms", "1000", True),
        ("message.timestamp.after.max.ms", "1", True),
        ("segment.bytes", "100", False),
        ("compression.type", "zstd", False),
        # Of a topic that is not compacted.
        ("min.compaction.lag.ms", "-5", False),
    ],
)
def test_only_what_takes_records_or_keeps_them_out_is_told(
    stack: Stack, broker: Any, key: str, value: str, is_told: bool
) -> None:
    broker.settings[CDC_TOPIC][key] = value
    assert told(stack, broker) == ([f"{key}={value}"] if is_told else [])
    assert restore(stack, broker, CAPTURE) == ([f"{key}={value}"] if is_told else [])
    assert broker.altered == ({CDC_TOPIC: {key: needs(CAPTURE)[key]}} if is_told else {})


def test_a_topic_of_results_is_compacted_whatever_its_retention(stack: Stack, broker: Any) -> None:
    results = find_topic("results.orders_by_customer")
    fine = {**needs(results), "retention.ms": "1"}
    for changed, wanted in (
        ({}, []),
        ({"min.compaction.lag.ms": "5"}, ["min.compaction.lag.ms=5"]),
        ({"cleanup.policy": "delete"}, ["cleanup.policy=delete"]),
    ):
        broker.settings[results.name] = fine | changed
        assert told(stack, broker, results) == wanted


def test_all_topics_that_a_connector_writes_are_looked_at_and_told_by_name(stack: Stack, broker: Any) -> None:
    """Its offsets go with the rows in one transaction, and it does not start without its history of columns."""
    assert (
        topic_changes(stack, 1.0, OLTP)
        == topic_changes(stack, 1.0, SHOP)
        == other_topic_changes(stack, 1.0)
        == "none"
    )
    broker.settings["_connect_offsets_orders"]["max.message.bytes"] = "100"
    broker.settings["_schema_history_oltp"]["retention.ms"] = WEEK
    broker.settings["_connect_offsets"]["cleanup.policy"] = "delete"
    broker.settings["events.payment"]["retention.ms"] = "1"
    told_of_oltp = "_connect_offsets_orders: max.message.bytes=100, _schema_history_oltp: retention.ms=604800000"
    assert topic_changes(stack, 1.0, OLTP) == told_of_oltp
    assert topic_changes(stack, 1.0, SHOP) == "none"
    assert (
        other_topic_changes(stack, 1.0) == "events.payment: retention.ms=1, _connect_offsets: cleanup.policy=delete"
    )


def test_a_captures_topic_that_is_gone_is_made_with_its_job_ended_and_known_as_another_one(
    stack: Stack, broker: Any, restarted: list[str], ended: list[str]
) -> None:
    """The job would go on in it where it stood in the old one, and miss what lies before that."""
    del broker.settings[CDC_TOPIC]
    assert topic_changes(stack, 1.0, OLTP) == f"{CDC_TOPIC}: {MISSING}"
    with pytest.raises(InvalidInput, match=rf"{CDC_TOPIC}: {MISSING}"):
        require_right(stack, OLTP)
    said = connector_failure_repairs.RestoreTopic().run(stack)
    assert said == "cdc.oltp was made anew; what it held comes by bridge_topic_gap"
    assert ended == ["lake-oltp False"] and restarted == ["orders"] and passes_over(stack, OLTP)
    assert broker.settings[CDC_TOPIC]["retention.ms"] == WEEK
    assert topic_changes(stack, 1.0, OLTP) == f"{CDC_TOPIC}: {ANEW}"
    # The bridge may write into it, and notes which one it was; the other bridge leaves the rest to the job.
    assert require_right(stack, OLTP) == "second"
    with pytest.raises(InvalidInput, match="deleted and made anew"):
        require_known(stack, OLTP)
    require_known(stack, SHOP)
    broker.ids["cdc.shop"] = "third"
    with pytest.raises(InvalidInput, match=r"cdc\.shop was deleted and made anew"):
        require_known(stack, SHOP)
    # Once more nothing is done, and nothing forgotten.
    broker.settings[CDC_TOPIC]["retention.ms"] = "1"
    said = "cdc.oltp was made anew before; what it lacks comes by bridge_topic_gap"
    assert connector_failure_repairs.RestoreTopic().run(stack) == f"set right of cdc.oltp: retention.ms=1; {said}"
    assert connector_failure_repairs.RestoreTopic().run(stack) == said
    assert topic_changes(stack, 1.0, OLTP) == f"{CDC_TOPIC}: {ANEW}" and ended == ["lake-oltp False"]
    topic_ids.note(stack, CAPTURE, "second")
    assert topic_changes(stack, 1.0, OLTP) == "none"
    require_known(stack, OLTP)


def test_where_a_captures_topic_could_not_be_made_no_task_is_started_that_would_make_it(
    stack: Stack, broker: Any, restarted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_answer(*_: object) -> None:
        raise CouldNotLook("no answer", where="flink-jobmanager")

    # Beside another repair of these tables nothing is done, either.
    with bridging(stack, OLTP):
        del broker.settings[CDC_TOPIC]
        with pytest.raises(NotReady, match="repairs the lake's tables of oltp now"):
            connector_failure_repairs.RestoreTopic(topic=CDC_TOPIC).run(stack)
        broker.settings[CDC_TOPIC] = needs(CAPTURE)
    monkeypatch.setattr(topic_gap, "no_job", no_answer)
    del broker.settings[CDC_TOPIC]
    broker.settings["_schema_history_oltp"]["retention.ms"] = "1"
    with pytest.raises(NotReady, match="no answer"):
        connector_failure_repairs.RestoreTopic().run(stack)
    assert restarted == [] and not passes_over(stack, OLTP) and CDC_TOPIC not in broker.settings
    assert topic_changes(stack, 1.0, OLTP) == f"{CDC_TOPIC}: {MISSING}"


def test_a_topic_of_kafkas_data_that_were_made_anew_is_another_one_for_the_lakes_job(
    stack: Stack, broker: Any
) -> None:
    """Its state lies elsewhere, and tells the place in the old one."""
    provisioned.forget(stack, "kafka")
    broker.ids = dict.fromkeys(ALL, "second")
    provision(stack)
    assert topic_changes(stack, 1.0, OLTP) == f"{CDC_TOPIC}: {ANEW}"
    assert other_topic_changes(stack, 1.0) == "none"


def test_a_stack_of_an_older_version_is_known_from_its_next_start(stack: Stack, broker: Any) -> None:
    """It has made its topics, and noted no id."""
    (stack.data_dir(OLTP.job) / "topic-id").unlink()
    provision(stack)
    assert topic_ids.noted(stack, CAPTURE) == "first" and broker.altered == {}
    # Who wrote down that it made a topic, and has none, waits for nothing: it is told as gone.
    (stack.data_dir(OLTP.job) / "topic-id").unlink()
    del broker.settings[CDC_TOPIC]
    provision(stack)
    assert topic_ids.noted(stack, CAPTURE) == "" and topic_changes(stack, 1.0, OLTP) == f"{CDC_TOPIC}: {MISSING}"


def test_nothing_is_said_of_a_topic_that_nobody_has_made_yet(tmp_path: Path, broker: Any) -> None:
    """At the first start, and where Kafka Connect is no part of the stack."""
    stack = Stack(Settings(state_dir=tmp_path))
    broker.settings.clear()
    assert topic_changes(stack, 1.0, OLTP) == other_topic_changes(stack, 1.0) == "none"
    provisioned.remember(stack, "kafka", "topic events.payment", "any")
    assert other_topic_changes(stack, 1.0) == f"events.payment: {MISSING}"


def test_in_mode_external_the_policy_alone_is_compared_and_nothing_is_made(
    tmp_path: Path, broker: Any, ended: list[str]
) -> None:
    where = {"kafka": {"tcp": "k:9092"}}
    stack = Stack(Settings(mode="external", state_dir=tmp_path, endpoints=where))
    broker.settings[CDC_TOPIC] |= {"retention.ms": "86400000", "min.insync.replicas": "2"}
    del broker.settings["events.payment"]
    assert topic_changes(stack, 1.0, OLTP) == other_topic_changes(stack, 1.0) == "none"
    assert require_right(stack, OLTP) == ""
    # Compose has its topics made by `provision`, and runs in that mode as well.
    provision(stack)
    assert topic_ids.noted(stack, CAPTURE) == topic_ids.noted(stack, find_topic("results.orders_by_customer")) == ""
    broker.settings[CDC_TOPIC] |= {"retention.ms": "86400000", "min.insync.replicas": "2"}
    topic_ids.note(stack, CAPTURE, "another")  # by an older version
    assert topic_changes(stack, 1.0, OLTP) == "none"
    broker.settings[CDC_TOPIC]["cleanup.policy"] = "compact"
    broker.settings["_connect_offsets"]["cleanup.policy"] = "delete"
    assert topic_changes(stack, 1.0, OLTP) == f"{CDC_TOPIC}: cleanup.policy=compact"
    assert other_topic_changes(stack, 1.0) == "_connect_offsets: cleanup.policy=delete"
    del broker.settings[CDC_TOPIC]
    assert topic_changes(stack, 1.0, OLTP) == f"{CDC_TOPIC}: {MISSING}"
    with pytest.raises(TerminalError, match="its owner makes it"):
        restore(stack, broker, CAPTURE)
    with pytest.raises(NotReady, match="its owner makes it"):
        connector_failure_repairs.RestoreTopic(topic=CDC_TOPIC).run(stack)
    assert CDC_TOPIC not in broker.settings and ended == []
    with pytest.raises(InvalidInput, match="its owner's settings would be lost"):
        faults.ChangedTopic().inject(stack)


@pytest.mark.parametrize(
    "failure", [KafkaException(KafkaError(KafkaError._TIMED_OUT)), TimeoutError(), KafkaException(KafkaError(7))]
)
def test_without_an_answer_nothing_is_said_of_it(stack: Stack, broker: Any, failure: BaseException) -> None:
    broker.failure = failure
    with pytest.raises(CouldNotLook, match=r"no settings of cdc\.oltp"):
        told(stack, broker)


def test_what_kafka_refuses_is_told(stack: Stack, broker: Any) -> None:
    broker.settings[CDC_TOPIC]["retention.ms"] = "1"
    broker.refusal = KafkaError(KafkaError.POLICY_VIOLATION)
    with pytest.raises(NotReady, match=r"topic cdc\.oltp was not configured"):
        restore(stack, broker, CAPTURE)


def test_what_does_not_show_is_no_success(stack: Stack, broker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    broker.settings[CDC_TOPIC]["retention.ms"] = "1"
    monkeypatch.setattr(topic_settings, "alter", lambda *_: None)
    with pytest.raises(DeadlineExpired, match=r"retention\.ms=1"):
        restore(stack, broker, CAPTURE)


def test_the_step_sets_right_what_a_capture_writes_and_starts_its_connector(
    stack: Stack, broker: Any, restarted: list[str]
) -> None:
    broker.settings[CDC_TOPIC]["retention.ms"] = "1"
    broker.settings["_connect_offsets_orders"]["cleanup.policy"] = "delete"
    broker.settings["events.payment"]["retention.ms"] = "1"
    said = "set right of cdc.oltp: retention.ms=1; set right of _connect_offsets_orders: cleanup.policy=delete"
    assert connector_failure_repairs.RestoreTopic().run(stack) == said
    assert topic_changes(stack, 1.0, OLTP) == "none" and restarted == ["orders"]
    assert connector_failure_repairs.RestoreTopic(topic="cdc.shop").run(stack) == "nothing was otherwise"
    assert restarted == ["orders", "shop"]
    assert other_topic_changes(stack, 1.0) == "events.payment: retention.ms=1"
    assert (
        connector_failure_repairs.RestoreTopic(topic="others").run(stack)
        == "set right of events.payment: retention.ms=1"
    )
    assert other_topic_changes(stack, 1.0) == "none" and restarted == ["orders", "shop"]


def test_of_another_topic_that_is_made_anew_the_step_says_what_it_does_not_bring(
    stack: Stack, broker: Any, restarted: list[str]
) -> None:
    del broker.settings["results.orders_by_customer"]
    broker.ids["events.payment"] = "another"
    assert connector_failure_repairs.RestoreTopic(topic="others").run(stack) == (
        "set right of events.payment: made anew (what it held is not brought back; what brings it: nothing in"
        " Lakeproof); set right of results.orders_by_customer: no such topic (what it held is not brought back; what"
        " brings it: lakeproof projector rebuild --from-database)"
    )
    assert other_topic_changes(stack, 1.0) == "none" and restarted == []


def test_where_one_topic_is_refused_the_others_are_set_right_and_all_is_told(
    stack: Stack, broker: Any, restarted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.settings[CDC_TOPIC]["retention.ms"] = broker.settings["_schema_history_oltp"]["retention.ms"] = "1"

    def refused(stack: Stack, client: Any, topic: Topic) -> list[str]:
        if topic.name == CDC_TOPIC:
            raise NotReady("no", where="kafka")
        return restore(stack, client, topic)

    monkeypatch.setattr(connector_failure_repairs, "restore", refused)
    with pytest.raises(
        NotReady, match=r"cdc\.oltp: kafka: no \(set right of _schema_history_oltp: retention\.ms=1\)"
    ):
        connector_failure_repairs.RestoreTopic().run(stack)
    assert topic_changes(stack, 1.0, OLTP) == "cdc.oltp: retention.ms=1" and restarted == []


def test_where_the_connector_fails_again_that_is_told_with_what_was_done(
    stack: Stack, broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.settings[CDC_TOPIC]["retention.ms"] = "1"

    def fails(*_: object) -> None:
        raise DeadlineExpired("waited", last_seen="FAILED")

    monkeypatch.setattr(connector_failure_repairs, "restart_failed", fails)
    with pytest.raises(NotReady, match=r"last seen: FAILED \(set right of cdc\.oltp: retention\.ms=1\)"):
        connector_failure_repairs.RestoreTopic().run(stack)


def test_what_a_person_types_names_every_topic_that_is_meant(stack: Stack) -> None:
    typed = connector_failure_repairs.RestoreTopic().typed(stack)
    for name in (CDC_TOPIC, "_connect_offsets_orders", "_schema_history_oltp"):
        assert f"--alter --topic {name} --add-config" in typed
    assert f"retention.ms={WEEK}" in typed and "without the keys that are longer or larger" in typed
    with pytest.raises(InvalidInput, match=r"no topic of ours is called 'their\.topic'"):
        parse_arguments(RestoreTopic, {"topic": "their.topic"}, "restore_topic")


def test_the_fault_is_in_where_kafka_says_so_and_takes_back_its_own_key_alone(
    stack: Stack, broker: Any, restarted: list[str]
) -> None:
    assert not faults.ChangedTopic().sign(stack).holds
    faults.ChangedTopic().remove(stack)
    assert broker.altered == {}
    faults.ChangedTopic().inject(stack)
    shown = faults.ChangedTopic().sign(stack)
    assert shown.holds and shown.seen == "max.message.bytes of topic cdc.oltp is 100"
    broker.settings[CDC_TOPIC]["retention.ms"] = "1"
    restarted.clear()
    faults.ChangedTopic().remove(stack)
    assert told(stack, broker) == ["retention.ms=1"] and restarted == ["orders"]
    del broker.settings[CDC_TOPIC]
    faults.ChangedTopic().remove(stack)
    assert CDC_TOPIC not in broker.settings and not faults.ChangedTopic().sign(stack).holds


@pytest.mark.parametrize("repaired", [False, True])
def test_the_owner_gets_back_what_the_topic_had_whatever_a_repair_has_set(
    stack: Stack, broker: Any, restarted: list[str], repaired: bool
) -> None:
    """A month's records, of which a retention of what Lakeproof needs would take three weeks away."""
    month, fault = str(30 * 86_400_000), ChangedTopic(key="retention.ms", value="1000")
    broker.settings[CDC_TOPIC]["retention.ms"] = month
    for _ in range(2):
        fault.inject(stack)
    assert fault.sign(stack).holds
    if repaired:
        connector_failure_repairs.RestoreTopic().run(stack)
        assert broker.settings[CDC_TOPIC]["retention.ms"] == WEEK
    for _ in range(2):
        fault.remove(stack)
    assert broker.settings[CDC_TOPIC]["retention.ms"] == month
    assert list(stack.state_dir.rglob("before-*")) == []


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"key": "segment.bytes", "value": "1"}, "it decides nothing about the records"),
        ({"key": "retention.ms", "value": "999999999999"}, "by that nothing is lost"),
        ({"key": "cleanup.policy", "value": "5"}, "it has no such values"),
        ({"value": "compact"}, "it has no such values"),
        ({"value": "99"}, "a broker that cannot end a transaction ends itself"),
        ({"topic": "their.topic"}, "no topic of ours"),
    ],
)
def test_the_fault_refuses_what_breaks_nothing_or_too_much(
    stack: Stack, broker: Any, arguments: dict[str, str], why: str
) -> None:
    with pytest.raises(InvalidInput, match=why):
        faults.ChangedTopic(**arguments).inject(stack)
    assert broker.altered == {}


def test_the_fault_makes_no_topic(stack: Stack, broker: Any) -> None:
    del broker.settings[CDC_TOPIC]
    with pytest.raises(InvalidInput, match=MISSING):
        faults.ChangedTopic().inject(stack)
    assert CDC_TOPIC not in broker.settings
