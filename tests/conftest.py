"""Rules for every tier."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--no-skips`: in the engines and drills tiers a skipped test is a failure, not an excuse."""
    parser.addoption("--no-skips", action="store_true", help="a skipped test fails the run")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    """Names the skipped tests that fail the run."""
    if config.getoption("--no-skips"):
        for report in terminalreporter.stats.get("skipped", []):
            terminalreporter.write_line(f"FAILED (skipped in a tier without skips): {report.nodeid}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Turns skips into a failed run under `--no-skips`."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--no-skips") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
