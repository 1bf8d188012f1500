"""Prometheus scrapes a desktop and the collector: the dashboard shows what the tapes are known to have used, once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.pipeline import prometheus
from tests.pipeline.conftest import collecting, post
from tests.pipeline.desktop import Desktop, desktop
from tests.pipeline.prometheus import Prometheus, promtool, scraping
from tests.pipeline.records import Request, described, happening_now, stateless
from tests.pipeline.running import until
from tests.pipeline.sink import sink
from tests.recorded import PATHS

# How tokens are named in the tapes' truth files.
TRUTHS = {"input_uncached": "input", "tool_prompt": "tool_prompt", "cache_read": "cache_read", "output": "output"}
TRUTHS |= {"cache_write_5m": "cache_write", "cache_write_1h": "cache_write"}
# ``increase`` guesses at what happens until the next scrape: the less, the longer it has been watched.
GUESS = 0.03


@dataclass
class Scene:
    desktop: Desktop
    prometheus: Prometheus
    requests: list[Request]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """All tapes, played to a collector that passes them on to a desktop."""
    directory = tmp_path_factory.mktemp("totals")
    with sink() as upstream, desktop(directory) as aimond:
        backends = {"AIMOND_TEMPO_URL": upstream.url, "AIMOND_LOKI_URL": upstream.url, "AIMOND_DESKTOP_URL": aimond.url}
        with (
            collecting(directory / "collector", **backends) as collector,
            scraping(directory, {"aimond": aimond.port, "alloy": collector.prometheus}) as scraped,
        ):
            until(lambda: scraped.number("sum(up)") == 2, "Prometheus does not reach both")
            played = [request for path in PATHS for request in happening_now(path)]
            post(collector.clis, played)
            yield Scene(aimond, scraped, played)


def truth() -> tuple[Counter[str], int]:
    """Tokens by kind, and calls, of all tapes."""
    tokens: Counter[str] = Counter()
    calls = 0
    for path in PATHS:
        document = json.loads(Path(str(path).replace(".tape.jsonl.gz", ".truth.json")).read_text())
        for session in document["sessions"]:
            for used in (session.get("observable_usage") or {}).values():
                calls += used["requests"]
                for kind, counted in TRUTHS.items():
                    tokens[counted] += used.get(kind, 0)
    return tokens, calls


def test_tokens_and_calls_are_those_of_the_tapes(scene: Scene) -> None:
    tokens, calls = truth()
    for kind, count in tokens.items():
        query = f'sum(aimond_tokens_total{{type="{kind}"}})'
        until(lambda query=query, count=count: scene.prometheus.number(query) == count, f"{query} is not {count}")
    assert scene.prometheus.number("sum(aimond_model_calls_total)") == calls


def test_spans_are_counted_once(scene: Scene) -> None:
    spans: Counter[str] = Counter()
    for request in map(stateless, scene.requests):
        for _, _, record in described(request) if request[0] == "traces" else ():
            spans[record["attributes"].get("openinference.span.kind", "")] += 1
    assert spans["LLM"] > 50
    for kind in ("LLM", "TOOL", "AGENT"):
        query = f'sum(ai_span_calls_total{{openinference_span_kind="{kind}"}})'
        until(
            lambda query=query, kind=kind: scene.prometheus.number(query) == spans[kind],
            f"{query} is not {spans[kind]}",
        )


def test_what_claude_code_sends_as_additions_comes_as_sums(scene: Scene) -> None:
    added = sum(
        point.as_double or point.as_int
        for signal, message in scene.requests
        for of_resource in (message.resource_metrics if signal == "metrics" else ())
        for of_scope in of_resource.scope_metrics
        for metric in of_scope.metrics
        for point in (metric.sum.data_points if metric.name == "claude_code.token.usage" else ())
    )
    assert added > 0
    query = "sum(claude_code_token_usage_tokens_total)"
    until(lambda: scene.prometheus.number(query) == added, f"{query} is not {added}")


def test_series_are_of_bounded_number(scene: Scene) -> None:
    labels = {label for series in scene.prometheus.ask("ai_span_calls_total") for label in json.loads(series)}
    assert not labels & {"session_id", "gen_ai_conversation_id", "process_pid", "span_kind"}
    assert scene.prometheus.number("count(ai_span_calls_total)") < 200


def test_durations_have_examples_that_name_their_trace(scene: Scene) -> None:
    traces = {
        each["labels"]["trace_id"]
        for each in until(lambda: scene.prometheus.exemplars("ai_span_duration_seconds_bucket"), "no exemplars")
    }
    known = {
        span.trace_id.hex()
        for signal, message in scene.requests
        if signal == "traces"
        for of_resource in message.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    }
    assert traces
    assert traces <= known


@pytest.mark.parametrize("title", prometheus.queries())
def test_every_panel_has_something_to_show(scene: Scene, title: str) -> None:
    for query in prometheus.queries()[title]:
        assert until(lambda query=query: scene.prometheus.ask(query), f"{query} has no result")


@pytest.mark.parametrize("query", prometheus.written())
def test_every_query_of_the_page_has_a_result(scene: Scene, query: str) -> None:
    assert until(lambda: scene.prometheus.ask(query), f"{query} has no result")


def test_the_page_configures_prometheus(tmp_path: Path) -> None:
    path = tmp_path / "prometheus.yml"
    path.write_text(f"rule_files: ['{prometheus.ALERTS}']\n{prometheus.configured()}")
    assert "SUCCESS" in promtool("check", "config", str(path))


def test_history_has_the_same_sums(scene: Scene) -> None:
    """Logs, spans and metrics told of the same calls, and each is counted once."""
    tokens, calls = truth()

    def sums() -> dict[str, dict[str, float]]:
        rows = scene.desktop.used("model")
        return rows if sum(row["calls"] for row in rows.values()) == calls else {}

    rows = until(sums, f"history has not {calls} calls")
    assert sum(row["output_tokens"] for row in rows.values()) == tokens["output"]
    for model, row in rows.items():
        paid = scene.prometheus.number(f'sum(aimond_cost_usd_total{{model="{model}"}})')
        assert paid == pytest.approx(float(row["cost"]), abs=1e-6), model


def test_the_dashboards_totals_are_the_true_ones(scene: Scene) -> None:
    tokens, calls = truth()
    cost = sum(float(row["cost"]) for row in scene.desktop.used("agent").values())
    assert cost > 0
    panels = {title.partition(" ")[2]: queries for title, queries in reversed(prometheus.queries().items())}
    read = tokens["cache_read"] / (sum(tokens.values()) - tokens["output"])
    true = {"Tokens": sum(tokens.values()), "Model calls": calls, "Cost": cost, "Cache hit rate": read}
    for title, total in {**true, "Cost by model": cost, "Cost by project": cost}.items():

        def shown(title: str = title, total: float = total) -> bool:
            return sum(scene.prometheus.ask(panels[title][0]).values()) == pytest.approx(total, rel=GUESS)

        until(shown, f"{title} does not come to {total}")


# -- alerts -----------------------------------------------------------------------------------------


def test_the_files_are_as_new_as_the_tables() -> None:
    tool = prometheus.ROOT / "tools" / "gen_grafana.py"
    done = subprocess.run([sys.executable, str(tool), "--check"], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 0)


def test_the_alerts_are_rules(tmp_path: Path) -> None:
    assert "3 rules found" in promtool("check", "rules", str(prometheus.ALERTS))


def test_alerts_are_raised_when_they_should_be(tmp_path: Path) -> None:
    def series(name: str, values: str) -> dict[str, str]:
        return {"series": name, "values": values}

    def alert(name: str, **labels: str) -> dict[str, object]:
        return {"eval_time": "40m", "alertname": name, "exp_alerts": [{"exp_labels": labels}] if labels else []}

    rules = json.loads((prometheus.ROOT / "grafana/provisioning/alerting/aimond.yaml").read_text().partition("\n")[2])
    said = {rule["title"]: rule["annotations"] for rule in rules["groups"][0]["rules"]}
    wrong = [
        series('aimond_cost_usd_total{agent="codex"}', "0+1x40"),
        series('aimond_failures_total{agent="codex"}', "0+1x40"),
        series('aimond_model_calls_total{agent="codex"}', "0+1x40"),
        series('aimond_sessions{agent="codex", state="working"}', "1x40"),
        series('aimond_records_total{agent="codex"}', "0+9x10 90x30"),
    ]
    well = [
        series('aimond_cost_usd_total{agent="codex"}', "0+0.01x40"),
        series('aimond_failures_total{agent="codex"}', "0x40"),
        series('aimond_model_calls_total{agent="codex"}', "0+1x40"),
        series('aimond_sessions{agent="codex", state="working"}', "1x40"),
        series('aimond_records_total{agent="codex"}', "0+9x40"),
    ]
    raised = [
        {"eval_time": "40m", "alertname": each, "exp_alerts": [{"exp_labels": labels, "exp_annotations": said[each]}]}
        for each, labels in (
            ("AiBudget", {}),
            ("AiCallsFail", {"agent": "codex"}),
            ("AiAgentSilent", {"agent": "codex"}),
        )
    ]
    quiet = [alert(each["alertname"]) for each in raised]
    tests = [
        {"interval": "1m", "input_series": wrong, "alert_rule_test": raised},
        {"interval": "1m", "input_series": well, "alert_rule_test": quiet},
    ]
    path = tmp_path / "tests.yml"
    path.write_text(json.dumps({"rule_files": [str(prometheus.ALERTS)], "tests": tests}))
    promtool("test", "rules", str(path))
