"""Loops (aimond, a collector, aimond again) cut: what was forwarded says by whom, and does not come in again.

The mark is an attribute of the resource, as collectors pass those on; they drop headers."""

from __future__ import annotations

import json
from typing import Any, Final

from aimond.otlp.record import Batch

MARK: Final = "aimond.instance"  # of all that forwarded it, separated by spaces
_MOST: Final = 16
_RESOURCES: Final = {
    "logs": ("resource_logs", "resourceLogs"),
    "traces": ("resource_spans", "resourceSpans"),
    "metrics": ("resource_metrics", "resourceMetrics"),
}


def mark(request: Any, instance: str) -> None:
    """Say in each resource of a request that it was forwarded."""
    for field, of_resources in request.ListFields():
        if field.name.startswith("resource_"):
            for of_resource in of_resources:
                attributes = of_resource.resource.attributes
                found = next((pair for pair in attributes if pair.key == MARK), None) or attributes.add(key=MARK)
                before = found.value.string_value.split()[-_MOST:]
                found.value.string_value = " ".join([*before, instance])


def cut(batch: Batch, instance: str) -> int:
    """Remove the resources that this instance has forwarded before, and say how many there were. ``batch`` keeps the
    others, in ``parsed`` and ``body``, which is b"" if there are none."""
    if instance.encode() not in batch.body:
        return 0
    in_protobuf, in_json = _RESOURCES[batch.signal]
    is_json = batch.encoding == "json"
    resources = batch.parsed.get(in_json) if is_json else getattr(batch.parsed, in_protobuf)
    if not isinstance(resources, list) and is_json:
        return 0
    marked = _marked_in_json if is_json else _marked
    kept = [each for each in resources if not marked(each, instance)]
    count = len(resources) - len(kept)
    if count:
        del resources[:]
        resources.extend(kept)
        body = json.dumps(batch.parsed).encode() if is_json else batch.parsed.SerializeToString()
        batch.body = body if kept else b""
    return count


def _marked(of_resource: Any, instance: str) -> bool:
    return any(pair.key == MARK and instance in pair.value.string_value for pair in of_resource.resource.attributes)


def _marked_in_json(of_resource: Any, instance: str) -> bool:
    resource = of_resource.get("resource") if isinstance(of_resource, dict) else None
    attributes = resource.get("attributes") if isinstance(resource, dict) else None
    return any(
        isinstance(pair, dict) and pair.get("key") == MARK and instance in str(pair.get("value"))
        for pair in (attributes if isinstance(attributes, list) else ())
    )
