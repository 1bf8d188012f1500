"""What the dashboard shows and what is alerted of."""

from __future__ import annotations

from typing import Final, NamedTuple

# Of aimond's own metrics; spans have other labels.
OF: Final = '{agent=~"$agent", model=~"$model", project=~"$project"}'
BY_AGENT: Final = '{agent=~"$agent"}'
SPANS: Final = 'gen_ai_agent_name=~"$agent"'
READ: Final = OF.replace("}", ', type="cache_read"}')
INPUT: Final = OF.replace("}", ', type!="output"}')


class Panel(NamedTuple):
    """``queries``: legend and PromQL, TraceQL or LogQL; ``kind``: Grafana's name of the panel; ``wide``: of 24."""

    title: str
    kind: str
    wide: int
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    source: str = "prometheus"
    about: str = ""


def quantiles(metric: str, selected: str, by: str, legend: str) -> tuple[tuple[str, str], ...]:
    """The median, and what one in twenty exceeds."""
    return tuple(
        (
            f"{legend} p{share}",
            f"histogram_quantile(0.{share}, sum by (le, {by}) (rate({metric}_bucket{selected}[$__range])))",
        )
        for share in (50, 95)
    )


ROWS: Final[tuple[tuple[str, int, tuple[Panel, ...]], ...]] = (
    (
        "Totals",
        4,
        (
            Panel("Cost", "stat", 4, (("", f"sum(increase(aimond_cost_usd_total{OF}[$__range]))"),), "currencyUSD"),
            Panel("Tokens", "stat", 4, (("", f"sum(increase(aimond_tokens_total{OF}[$__range]))"),)),
            Panel("Model calls", "stat", 4, (("", f"sum(increase(aimond_model_calls_total{OF}[$__range]))"),)),
            Panel(
                "Cache hit rate",
                "stat",
                4,
                (
                    (
                        "",
                        f"sum(increase(aimond_tokens_total{READ}[$__range]))"
                        f" / sum(increase(aimond_tokens_total{INPUT}[$__range]))",
                    ),
                ),
                "percentunit",
                about="Of all input tokens, those that came from a cache.",
            ),
            Panel("Failed calls", "stat", 4, (("", f"sum(increase(aimond_failures_total{BY_AGENT}[$__range]))"),)),
            Panel(
                "Waiting for the user",
                "stat",
                4,
                (("", f"sum(increase(aimond_waiting_seconds_sum{BY_AGENT}[$__range]))"),),
                "s",
            ),
        ),
    ),
    (
        "Cost and tokens",
        8,
        (
            Panel(
                "Cost by agent",
                "timeseries",
                6,
                (("{{agent}}", f"sum by (agent) (increase(aimond_cost_usd_total{OF}[$__rate_interval]))"),),
                "currencyUSD",
            ),
            Panel(
                "Cost by model",
                "piechart",
                6,
                (("{{model}}", f"sum by (model) (increase(aimond_cost_usd_total{OF}[$__range]))"),),
                "currencyUSD",
            ),
            Panel(
                "Cost by project",
                "bargauge",
                6,
                (("{{project}}", f"topk(10, sum by (project) (increase(aimond_cost_usd_total{OF}[$__range])))"),),
                "currencyUSD",
            ),
            Panel(
                "Tokens by kind",
                "timeseries",
                6,
                (("{{type}}", f"sum by (type) (increase(aimond_tokens_total{OF}[$__rate_interval]))"),),
            ),
        ),
    ),
    (
        "Speed",
        8,
        (
            Panel(
                "Turns", "timeseries", 8, quantiles("aimond_turn_duration_seconds", BY_AGENT, "agent", "{{agent}}"), "s"
            ),
            Panel(
                "Model calls, by model",
                "timeseries",
                8,
                quantiles(
                    "ai_span_duration_seconds",
                    f'{{{SPANS}, openinference_span_kind="LLM"}}',
                    "gen_ai_request_model",
                    "{{gen_ai_request_model}}",
                ),
                "s",
                about="From spans: Claude Code sends them only if asked to. A dot leads to its trace.",
            ),
            Panel(
                "Tools",
                "timeseries",
                8,
                quantiles(
                    "ai_span_duration_seconds",
                    f'{{{SPANS}, openinference_span_kind="TOOL"}}',
                    "gen_ai_tool_name",
                    "{{gen_ai_tool_name}}",
                ),
                "s",
            ),
        ),
    ),
    (
        "Trouble",
        8,
        (
            Panel(
                "Failed calls by class",
                "timeseries",
                8,
                (
                    (
                        "{{agent}} {{error_type}}",
                        f"sum by (agent, error_type) (increase(aimond_failures_total{BY_AGENT}[$__rate_interval]))",
                    ),
                ),
            ),
            Panel(
                "Waiting for the user",
                "timeseries",
                8,
                (
                    (
                        "{{agent}}",
                        f"sum by (agent) (increase(aimond_waiting_seconds_sum{BY_AGENT}[$__rate_interval]))",
                    ),
                ),
                "s",
            ),
            Panel(
                "Sessions",
                "timeseries",
                8,
                (("{{agent}} {{state}}", f"sum by (agent, state) (aimond_sessions{BY_AGENT})"),),
            ),
        ),
    ),
    (
        "Sessions",
        10,
        (
            Panel(
                "Turns of sessions",
                "table",
                24,
                (
                    (
                        "",
                        '{ span.openinference.span.kind = "AGENT" && span.gen_ai.agent.name =~ "$agent" }'
                        " | select(span.session.id, span.gen_ai.agent.name, span.gen_ai.request.model)",
                    ),
                ),
                source="tempo",
                about="session.id leads to all traces, and to all logs, of the session.",
            ),
            Panel(
                "Logs of the session chosen above",
                "logs",
                24,
                (("", '{service_name=~".+"} | session_id = "$session"'),),
                source="loki",
            ),
        ),
    ),
)

# Name, PromQL that has a result when something is wrong, how long it must, and what to say.
ALERTS: Final = (
    (
        "AiBudget",
        "sum(increase(aimond_cost_usd_total[24h])) > 20",
        "5m",
        "More than $20 within 24 hours on AI coding agents",
    ),
    (
        "AiCallsFail",
        "sum by (agent) (increase(aimond_failures_total[15m])) / (sum by (agent) (increase(aimond_failures_total[15m]))"
        " + sum by (agent) (increase(aimond_model_calls_total[15m]))) > 0.2",
        "10m",
        "More than a fifth of the model calls fail",
    ),
    (
        "AiAgentSilent",
        'sum by (agent) (aimond_sessions{state="working"}) > 0'
        " unless sum by (agent) (increase(aimond_records_total[15m])) > 0",
        "5m",
        "Sessions are said to work, but nothing has been heard of the agent for 15 minutes",
    ),
)
