"""What lies outside the databases: labels in the object store, attachments on disk, events in Kafka's topics."""

from collections.abc import Iterator
from random import Random

import orjson

from benchmarks.corruption.kind import Kind, Looking, Planted, Step, named, picked
from lakeproof.stack.object_store import LABEL_BUCKET
from lakeproof.stack.topics import event_topic
from lakeproof_shop.services.fulfillment.label import READY

_LABELS = frozenset({"minio", "postgres", "fulfillment-service"})
_ATTACHMENTS = frozenset({"postgres", "support-service"})
_TOPICS = frozenset({"kafka", "postgres", "payment-service"})


def kinds() -> Iterator[Kind]:
    """All kinds of this module."""
    yield from named(
        {"gone": _label_gone, "a byte short": _label_short, "left of a cancelled parcel": _label_left},
        _LABELS,
        "label",
    )
    yield from named({"file gone": _file_gone, "bytes of a file flipped": _file_flipped}, _ATTACHMENTS, "attachment")
    yield from named({"events of a partition gone": _events_gone}, _TOPICS, "topic")


def _label(look: Looking, rng: Random) -> tuple[str, bytes, tuple[str, ...]]:
    key = picked(rng, look.objects(LABEL_BUCKET, READY), "label")
    place = f"{LABEL_BUCKET}/{key}"
    return place, look.read("object", place), (f"parcel {key.removeprefix(READY)}",)


def _label_gone(look: Looking, rng: Random) -> Planted:
    place, whole, keys = _label(look, rng)
    return Planted(f"{place} goes", keys, (Step("object", "", place),), (Step("object", whole.hex(), place),))


def _label_short(look: Looking, rng: Random) -> Planted:
    place, whole, keys = _label(look, rng)
    return Planted(
        f"{place} loses a byte",
        keys,
        (Step("object", whole[:-1].hex(), place),),
        (Step("object", whole.hex(), place),),
    )


def _label_left(look: Looking, rng: Random) -> Planted:
    rows = look.postgres("SELECT id FROM fulfillment.fulfillments WHERE status = 'cancelled' ORDER BY id")
    id_ = picked(rng, rows, "cancelled parcel")["id"]
    place = f"{LABEL_BUCKET}/{READY}{id_}"
    return Planted(
        f"{place} comes back",
        (f"parcel {id_}",),
        (Step("object", b"a label".hex(), place),),
        (Step("object", "", place),),
    )


def _file_gone(look: Looking, rng: Random) -> Planted:
    path = picked(rng, look.files("attachments"), "attachment")
    return _file(look, path, "goes", b"")


def _file_flipped(look: Looking, rng: Random) -> Planted:
    path = picked(rng, look.files("attachments"), "attachment")
    whole = look.read("file", path)
    place = rng.randrange(len(whole))
    return _file(look, path, f"byte {place} flips", whole[:place] + bytes([255 - whole[place]]) + whole[place + 1 :])


def _file(look: Looking, path: str, how: str, after: bytes) -> Planted:
    file = path.rpartition("/")[2]
    rows = look.postgres(f"SELECT id FROM support.case_attachments WHERE file = '{file}'")
    keys = tuple(f"attachment {row['id']}" for row in rows)
    whole = look.read("file", path).hex()
    return Planted(
        f"attachment {path} {how}", (*keys, file), (Step("file", after.hex(), path),), (Step("file", whole, path),)
    )


def _events_gone(look: Looking, rng: Random) -> Planted:
    topic = event_topic("payment")
    partitions = {place: records for place in look.partitions(topic) if (records := look.records(place))}
    place = picked(rng, sorted(partitions), f"records in {topic}")
    records = partitions[place]
    again = orjson.dumps([[key.hex(), value.hex()] for key, value in records]).decode()
    return Planted(
        f"{len(records)} events of {place} go",
        tuple(str(orjson.loads(value)["event_id"]) for _, value in records),
        (Step("topic", "", place),),
        (Step("topic", again, place),),
    )
