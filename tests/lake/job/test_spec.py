"""What the job is told."""

import json
from base64 import b64decode
from pathlib import Path

from lakeproof.lake.job.spec import encode, make_spec, metadata_files_kept, table_options
from lakeproof.lake.sources.source import OLTP, SHOP
from lakeproof.stack.settings import CaptureSettings, LakeSettings, Settings
from lakeproof.stack.stack import Stack


def stack(tmp_path: Path, **lake: float) -> Stack:
    return Stack(Settings(name="none", state_dir=tmp_path, lake=LakeSettings.model_validate(lake)))


def test_snapshots_outlive_the_promised_time(tmp_path: Path) -> None:
    options = table_options(stack(tmp_path, readable_seconds=900, checkpoint_seconds=2.0), OLTP)
    assert options["snapshot.time-retained"] == "1200 s"
    # Rows come, and somebody waits for a state: a checkpoint a second, of two snapshots each.
    assert int(options["snapshot.num-retained.max"]) >= 2400
    # Of PostgreSQL's job as well: while somebody waits for a state, it is asked for a checkpoint every 2 s.
    options = table_options(stack(tmp_path, readable_seconds=900, shop_checkpoint_seconds=10.0), SHOP)
    assert int(options["snapshot.num-retained.max"]) >= 1200


def test_a_minute_of_metadata_files_is_kept_and_paimon_never_lists_them(tmp_path: Path) -> None:
    assert metadata_files_kept(stack(tmp_path, checkpoint_seconds=2.0), OLTP) == 60
    assert table_options(stack(tmp_path), OLTP)["metadata.iceberg.delete-after-commit.enabled"] == "false"


def test_the_spec_survives_its_encoding_and_holds_no_secret(tmp_path: Path) -> None:
    made = stack(tmp_path)
    spec = make_spec(made, OLTP)
    text = b64decode(encode(spec)).decode()
    assert json.loads(text) == spec
    assert made.secret("s3-secret-key") not in text and made.secret("s3-access-key") not in text


def test_switches_reach_the_job(tmp_path: Path) -> None:
    switched = {"align_transactions": False, "checkpoint_seconds": 1.5, "idle_checkpoint_seconds": 1.5}
    spec = make_spec(stack(tmp_path, **switched), OLTP)
    assert spec["align"] is False
    assert spec["drop_repeats"] is True
    assert spec["config"]["execution.checkpointing.interval"] == "1500 ms"
    assert spec["config"]["execution.checkpointing.min-pause"] == "750 ms"


def test_flinks_own_checkpoints_come_only_where_nobody_asked_for_one_for_as_long_as_a_source_may_be_idle(
    tmp_path: Path,
) -> None:
    """min-pause counts from the last complete one, whoever asked for it."""
    config = make_spec(stack(tmp_path, idle_checkpoint_seconds=7), OLTP)["config"]
    assert config["execution.checkpointing.interval"] == config["execution.checkpointing.min-pause"] == "7000 ms"
    config = make_spec(stack(tmp_path, checkpoint_seconds=30, idle_checkpoint_seconds=7), OLTP)["config"]
    assert config["execution.checkpointing.interval"] == "30000 ms"
    assert config["execution.checkpointing.min-pause"] == "15000 ms"


def test_exactly_once_off_is_off_for_the_job_too(tmp_path: Path) -> None:
    settings = Settings(name="none", state_dir=tmp_path, capture=CaptureSettings(exactly_once=False))
    assert make_spec(Stack(settings), OLTP)["drop_repeats"] is False
