"""The kernel's count of processes that wait for a processor."""

from pathlib import Path

from lakeproof.processes.pressure import cpu_waiting_percent

AS_THE_KERNEL_WRITES_IT = """\
some avg10=87.05 avg60=64.31 avg300=43.89 total=7311476482
full avg10=1.50 avg60=0.00 avg300=0.00 total=0
"""


def test_the_last_ten_seconds_of_some_process_are_read(tmp_path: Path) -> None:
    file = tmp_path / "cpu"
    file.write_text(AS_THE_KERNEL_WRITES_IT)
    assert cpu_waiting_percent(file) == 87.05


def test_a_kernel_that_counts_nothing_is_not_taken_for_an_idle_one(tmp_path: Path) -> None:
    assert cpu_waiting_percent(tmp_path / "absent") is None
    file = tmp_path / "cpu"
    file.write_text("")
    assert cpu_waiting_percent(file) is None


def test_this_machine_is_told_as_a_share() -> None:
    percent = cpu_waiting_percent()
    assert percent is None or 0 <= percent <= 100
