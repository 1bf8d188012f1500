"""A real Prometheus that scrapes what it is told to, and the queries of the dashboard."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.pipeline.alloyfile import ROOT
from tests.pipeline.running import free_port, get, running

PAGE = ROOT / "docs" / "grafana.md"
DASHBOARD = ROOT / "grafana" / "dashboard.json"
ALERTS = ROOT / "grafana" / "alerts.yml"
RANGE = "1h"
# What Grafana puts in for its variables, with everything chosen.
VARIABLES = {"$__range": RANGE, "$__rate_interval": RANGE, "$agent": ".*", "$model": ".*", "$project": ".*"}


class Prometheus:
    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, query: str) -> dict[str, float]:
        """The value of each series, by its labels as JSON. Raises AssertionError when the query is none."""
        answer = json.loads(get(f"{self.url}/api/v1/query?query={quote(query)}"))
        assert answer["status"] == "success", answer
        return {
            json.dumps(each["metric"], sort_keys=True): float(each["value"][1]) for each in answer["data"]["result"]
        }

    def number(self, query: str) -> float:
        """The value of the only series; 0 while there is none."""
        found = self.ask(query)
        assert len(found) <= 1, found
        return next(iter(found.values()), 0.0)

    def exemplars(self, query: str) -> list[dict[str, Any]]:
        answer = json.loads(get(f"{self.url}/api/v1/query_exemplars?query={quote(query)}&start=0&end=9999999999"))
        return [exemplar for each in answer["data"] for exemplar in each["exemplars"]]


@contextmanager
def scraping(directory: Path, jobs: Mapping[str, int]) -> Iterator[Prometheus]:
    """A Prometheus that scrapes those ports of this machine every second. One that is not answered in time is lost,
    and with the first one the 0 that a counter begins with."""
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ALERTS)],
        "scrape_configs": [
            {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]} for name, port in jobs.items()
        ],
    }
    path, port = directory / "prometheus.yml", free_port()
    path.write_text(json.dumps(config))
    command = ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={directory / 'prometheus'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage"]
    url = f"http://127.0.0.1:{port}"
    with running(command, directory / "prometheus.log", lambda: get(f"{url}/-/ready")):
        yield Prometheus(url)


def queries() -> dict[str, list[str]]:
    """The PromQL of each panel of the dashboard."""
    found: dict[str, list[str]] = {}
    for number, panel in enumerate(json.loads(DASHBOARD.read_text())["panels"]):
        for target in panel.get("targets", ()):
            if target["datasource"]["type"] == "prometheus":
                found.setdefault(f"{number} {panel['title']}", []).append(chosen(target["expr"]))
    return found


def written() -> list[str]:
    """The PromQL of docs/grafana.md."""
    found = re.search(r"^PromQL:\n\n```\n(.*?)```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found
    return [line.replace("[1d]", f"[{RANGE}]") for line in found[1].splitlines()]


def configured() -> str:
    """Its part of a prometheus.yml."""
    found = re.search(r"```yaml\n(scrape_configs:.*?)```", PAGE.read_text(), re.DOTALL)
    assert found
    return found[1]


def chosen(query: str) -> str:
    """The query as Grafana sends it."""
    for variable, value in VARIABLES.items():
        query = query.replace(variable, value)
    assert "$" not in query
    return query


def promtool(*arguments: str) -> str:
    """What promtool says. Raises AssertionError when it finds fault."""
    ran = subprocess.run(["promtool", *arguments], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
