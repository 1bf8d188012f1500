"""In CI a test that is skipped has failed, but for what the machine makes impossible."""

from __future__ import annotations

import os

import pytest

# The beginnings of the reasons that count.
IMPOSSIBLE = (
    "needs CAP_CHECKPOINT_RESTORE",  # to choose the next pid; not given in containers
    "no second file system",
    "this file system has no attributes",
    "only root can",
    "root can write everything here",
)


class Skipped:
    """What was skipped without need, told by reports: nothing else comes from a pytest-xdist worker."""

    def __init__(self) -> None:
        self._tests: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and isinstance(report.longrepr, tuple):
            reason = str(report.longrepr[2]).removeprefix("Skipped: ")
            if not reason.startswith(IMPOSSIBLE):
                self._tests.append(f"{report.nodeid}: {reason}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._tests:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for skipped in self._tests:
            terminalreporter.line(f"skipped, and so failed in CI: {skipped}", red=True)


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("CI") == "true":
        config.pluginmanager.register(Skipped())
