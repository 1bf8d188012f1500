"""The rules as statements in OTTL, for Grafana Alloy and the OpenTelemetry Collector: what one record says of itself.

Written for ``context`` groups of the transform processor with paths that name their context (contrib 0.120 and newer).
The groups are to run in the order of CONTEXTS: a span's events first."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from aimond.forward import failures, mapping
from aimond.forward.failures import Failure
from aimond.forward.mapping import Context, How, Rule
from aimond.forward.rules import RULES

CONTEXTS: Final[tuple[Context, ...]] = ("spanevent", "span", "log", "datapoint")
_OWNER: Final = {"spanevent": "span"}  # to whose attributes is added
_NAMES: Final = {
    "spanevent": "spanevent.name",
    "span": "span.name",
    "log": 'log.attributes["event.name"]',
    "datapoint": "metric.name",
}
_CLASSES: Final = f"^({'|'.join(sorted(failures.CLASSES))})$"


def statements(context: Context) -> list[str]:
    """All statements of a context, in order."""
    lines = [line for rule in RULES if rule.context == context for line in _rule(rule)]
    return lines + [line for each in failures.FAILURES if each.context == context for line in _failure(each)]


def private(context: str) -> list[str]:
    """What removes private attributes in a context; also "resource" and "scope"."""
    names = "|".join(map(re.escape, failures.PRIVATE))
    return [f"delete_matching_keys({context}.attributes, {_text(f'^({names})$')})"]


def noise() -> str:
    """The condition under which a filter processor is to drop a span."""
    kind, error = _at("span", mapping.KIND), _at("span", mapping.ERROR)
    return (
        f"{_scope(failures.NOISY)} and {kind} == {_text(failures.NOISE)} and {error} == nil"
        " and span.status.code != STATUS_CODE_ERROR"
    )


def _rule(rule: Rule) -> Iterator[str]:
    target = _at(_OWNER.get(rule.context, rule.context), rule.target)
    when = list(_conditions(rule.cli, rule.context, rule.names, rule.having))
    if not rule.replace:
        when.append(f"{target} == nil")
    sources = [_at(rule.context, source) for source in rule.sources]
    if rule.how is How.SET:
        constant = _text(rule.constant) if isinstance(rule.constant, str) else str(rule.constant).lower()
        yield _set(target, constant, when)
    elif rule.how is How.SUM:
        total = f'{rule.context}.cache["sum"]'
        yield f'delete_key({rule.context}.cache, "sum")'
        for place, source in enumerate(sources):
            number = f"Int({source})"
            known = [*when, f"{number} != nil"]
            yield (
                _set(total, f"{total} + {number}", [*known, f"{total} != nil"]) if place else _set(total, number, known)
            )
        yield _set(target, total, [*when, f"{total} != nil"])
    else:
        convert, there = _READ[rule.how]
        for source in sources:
            yield _set(target, convert.format(source), [*when, there.format(source)])


def _failure(failure: Failure) -> Iterator[str]:
    owner = _OWNER.get(failure.context, failure.context)
    error, native = _at(owner, mapping.ERROR), _at(owner, mapping.NATIVE_ERROR)
    key, pattern = failure.having
    when = list(_conditions(failure.cli, failure.context, failure.names, ((key, pattern),) if key else ()))
    if not key:
        when += [f'{_at("span", mapping.KIND)} == "LLM"', "span.status.code == STATUS_CODE_ERROR"]
    # Who classified it before may have had the message, which is private.
    new = [*when, f"not IsMatch({error}, {_text(_CLASSES)})"]
    yield _set(native, error, [*new, f"{native} == nil", f"{error} != nil"])
    yield _set(error, _text(failures.OTHER), new)
    for patterns, keys in ((failures.BY_MESSAGE, failure.messages), (failures.BY_CODE, failure.codes)):
        places = ["span.status.message" if key == failures.STATUS else _at(failure.context, key) for key in keys]
        for name, wanted in patterns if places else ():
            found = " or ".join(f"IsMatch({place}, {_text(wanted)})" for place in places)
            yield _set(error, _text(name), [*when, f"({found})" if len(places) > 1 else found])


def _conditions(
    cli: str, context: Context, names: tuple[str, ...], having: tuple[tuple[str, str], ...]
) -> Iterator[str]:
    yield _scope(cli)
    if names:
        either = " or ".join(f"{_NAMES[context]} == {_text(name)}" for name in names)
        yield f"({either})" if len(names) > 1 else either
    for key, pattern in having:
        yield f"IsMatch({_at(context, key)}, {_text(pattern)})" if pattern else f"{_at(context, key)} != nil"


def _scope(cli: str) -> str:
    starts = [start for name, each in mapping.SCOPES.items() if cli in ("", name) for start in each]
    return f"IsMatch(scope.name, {_text(f'^({chr(124).join(map(re.escape, starts))})')})"


def _set(target: str, what: str, when: list[str]) -> str:
    return f"set({target}, {what}) where {' and '.join(when)}"


def _at(context: str, key: str) -> str:
    return f"{context}.attributes[{_text(key)}]"


def _text(text: str) -> str:
    return json.dumps(text)


_READ: Final = {
    How.COPY: ("{}", '{0} != nil and {0} != ""'),
    How.TEXT: ("{}", 'IsString({0}) and {0} != ""'),
    How.WHOLE: ("Int({})", "Int({0}) != nil"),
    How.REAL: ("Double({})", "Double({0}) != nil"),
}
