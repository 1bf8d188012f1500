#!/usr/bin/env python3
"""Write grafana/dashboard.json and grafana/provisioning/alerting/aimond.yaml.

    tools/gen_grafana.py [--check]

The panels and alerts are the tables in grafana/tables.py. `--check` writes nothing and exits with 1 if a file lags
behind.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import generating
from grafana.tables import ALERTS, ROWS, Panel

ROOT: Final = Path(__file__).parents[1]
GRAFANA: Final = ROOT / "grafana"


def generated() -> dict[Path, str]:
    """The texts of the files, by path."""
    return {
        GRAFANA / "dashboard.json": json.dumps(dashboard(), indent=1) + "\n",
        GRAFANA / "alerts.yml": prometheus_rules(),
        GRAFANA / "provisioning" / "alerting" / "aimond.yaml": "# By tools/gen_grafana.py; JSON is YAML, too.\n"
        + json.dumps(grafana_rules(), indent=1)
        + "\n",
    }


# -- the dashboard ----------------------------------------------------------------------------------


def dashboard() -> dict[str, Any]:
    panels: list[dict[str, Any]] = []
    y = 0
    for title, height, row in ROWS:
        panels.append({"type": "row", "title": title, "gridPos": {"h": 1, "w": 24, "x": 0, "y": y}, "collapsed": False})
        x, y = 0, y + 1
        for each in row:
            if x + each.wide > 24:
                x, y = 0, y + height
            panels.append(panel(each, {"h": height, "w": each.wide, "x": x, "y": y}))
            x += each.wide
        y += height
    for number, each_panel in enumerate(panels, 1):
        each_panel["id"] = number
    return {
        "uid": "aimond",
        "title": "AI coding agents",
        "tags": ["ai", "aimond"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {"list": [*SOURCES, *LABELS, SESSION]},
        "panels": panels,
    }


def panel(of: Panel, place: dict[str, int]) -> dict[str, Any]:
    targets = [target(of, number, legend, query) for number, (legend, query) in enumerate(of.queries)]
    found = {
        "type": of.kind,
        "title": of.title,
        "description": of.about,
        "datasource": source(of.source),
        "gridPos": place,
        "targets": targets,
        "fieldConfig": {"defaults": {"unit": of.unit}, "overrides": SESSION_LINKS if of.source == "tempo" else []},
        "options": {"reduceOptions": {"calcs": ["lastNotNull"]}} if of.kind in ("stat", "piechart", "bargauge") else {},
    }
    if of.kind == "timeseries" and "increase" in of.queries[0][1]:
        found["fieldConfig"]["defaults"]["custom"] = {
            "drawStyle": "bars",
            "stacking": {"mode": "normal"},
            "fillOpacity": 70,
        }
    return found


def target(of: Panel, number: int, legend: str, query: str) -> dict[str, Any]:
    common = {"refId": "ABCDEF"[number], "datasource": source(of.source)}
    if of.source == "tempo":
        return {**common, "queryType": "traceql", "query": query, "tableType": "spans", "limit": 200}
    if of.source == "loki":
        return {**common, "expr": query, "queryType": "range"}
    once = of.kind in ("stat", "piechart", "bargauge")
    kind = {"instant": True} if once else {"range": True, "exemplar": "ai_span" in query}
    return {**common, "expr": query, "legendFormat": legend or "__auto", **kind}


def source(kind: str) -> dict[str, str]:
    return {"type": kind, "uid": f"${{{kind}}}"}


SOURCES: Final = [
    {"name": kind, "type": "datasource", "query": kind, "label": label}
    for kind, label in (("prometheus", "Metrics"), ("tempo", "Traces"), ("loki", "Logs"))
]
LABELS: Final = [
    {
        "name": label,
        "type": "query",
        "label": label.capitalize(),
        "datasource": source("prometheus"),
        "query": {"query": f"label_values(aimond_model_calls_total, {label})", "refId": label},
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "refresh": 2,
        "current": {"text": "All", "value": "$__all"},
    }
    for label in ("agent", "model", "project")
]
SESSION: Final = {"name": "session", "type": "textbox", "label": "Session", "query": ""}


def _explore(kind: str, query: dict[str, str]) -> str:
    pane = {
        "datasource": f"${{{kind}}}",
        "queries": [{"refId": "A", **query}],
        "range": {"from": "now-24h", "to": "now"},
    }
    return "/explore?schemaVersion=1&panes=" + json.dumps({"a": pane}, separators=(",", ":"))


SESSION_LINKS: Final = [
    {
        "matcher": {"id": "byName", "options": "session.id"},
        "properties": [
            {
                "id": "links",
                "value": [
                    {
                        "title": "Traces of this session",
                        "url": _explore(
                            "tempo",
                            {
                                "queryType": "traceql",
                                "query": '{ span.session.id = \\"${__value.raw}\\" }'.replace("\\", ""),
                            },
                        ),
                    },
                    {
                        "title": "Logs of this session",
                        "url": _explore("loki", {"expr": '{service_name=~".+"} | session_id = "${__value.raw}"'}),
                    },
                    {"title": "Show it here", "url": "/d/aimond?var-session=${__value.raw}&${__url_time_range}"},
                ],
            }
        ],
    }
]


# -- alerts -----------------------------------------------------------------------------------------


def prometheus_rules() -> str:
    lines = ["# For Prometheus and Mimir; by tools/gen_grafana.py.", "groups:", "  - name: aimond", "    rules:"]
    for name, query, lasting, said in ALERTS:
        lines += [
            f"      - alert: {name}",
            f"        expr: {json.dumps(query)}",
            f"        for: {lasting}",
            "        annotations:",
            f"          summary: {json.dumps(said)}",
        ]
    return "\n".join(lines) + "\n"


def grafana_rules() -> dict[str, Any]:
    group = {
        "orgId": 1,
        "name": "aimond",
        "folder": "AI",
        "interval": "1m",
        "rules": [grafana_rule(*each) for each in ALERTS],
    }
    return {"apiVersion": 1, "groups": [group]}


def grafana_rule(name: str, query: str, lasting: str, said: str) -> dict[str, Any]:
    """Grafana wants a query and a threshold apart; one with a comparison has a result only if something is wrong."""
    return {
        "uid": name.lower(),
        "title": name,
        "condition": "B",
        "for": lasting,
        "noDataState": "OK",
        "annotations": {"summary": said},
        "data": [
            {
                "refId": "A",
                "relativeTimeRange": {"from": 600, "to": 0},
                "datasourceUid": "aimond-metrics",
                "model": {"refId": "A", "expr": f"count({query})", "instant": True},
            },
            {
                "refId": "B",
                "datasourceUid": "__expr__",
                "model": {
                    "refId": "B",
                    "type": "threshold",
                    "expression": "A",
                    "conditions": [{"evaluator": {"type": "gt", "params": [0]}}],
                },
            },
        ],
    }


if __name__ == "__main__":
    sys.exit(generating.main(__doc__, generated()))
