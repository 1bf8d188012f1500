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
SKIPPED = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SKIPPED] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> object:
    report: pytest.TestReport = yield  # type: ignore[misc]
    if report.skipped and isinstance(report.longrepr, tuple):
        reason = str(report.longrepr[2]).removeprefix("Skipped: ")
        if not reason.startswith(IMPOSSIBLE):
            item.config.stash[SKIPPED].append(f"{item.nodeid}: {reason}")
    return report


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if os.environ.get("CI") == "true" and session.config.stash[SKIPPED]:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if os.environ.get("CI") == "true":
        for skipped in config.stash[SKIPPED]:
            terminalreporter.line(f"skipped, and so failed in CI: {skipped}", red=True)
