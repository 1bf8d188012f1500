"""The rules, applied to one record."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

from aimond.forward import failures, mapping
from aimond.forward.attributes import Attributes, Scalar
from aimond.forward.failures import Failure
from aimond.forward.mapping import Context, How, Rule
from aimond.forward.rules import RULES


def cli_of(scope: str) -> str:
    """Whose records those of that scope are, "" if nobody's."""
    return next((cli for cli, starts in mapping.SCOPES.items() if scope.startswith(starts)), "")


@lru_cache(maxsize=1024)
def rules_for(cli: str, context: Context, name: str) -> tuple[Rule, ...]:
    """What can apply to records of that name."""
    return tuple(
        rule
        for rule in RULES
        if rule.context == context and rule.cli in ("", cli) and (not rule.names or name in rule.names)
    )


@lru_cache(maxsize=1024)
def failures_for(cli: str, context: Context, name: str) -> tuple[Failure, ...]:
    """By what records of that name tell of a failed call."""
    return tuple(
        each
        for each in failures.FAILURES
        if each.cli == cli and each.context == context and (not each.names or name in each.names)
    )


def add(cli: str, context: Context, name: str, attributes: Attributes, said: Attributes | None = None) -> None:
    """Add what the rules say. ``said``: the attributes of a span's event, where those are the sources."""
    sources = attributes if said is None else said
    for rule in rules_for(cli, context, name):
        if (rule.replace or rule.target not in attributes) and _fits(rule.having, sources):
            found = rule.constant if rule.how is How.SET else _READ[rule.how](sources, rule.sources)
            if found is not None:
                attributes.set(rule.target, found)


def classify(
    cli: str,
    context: Context,
    name: str,
    attributes: Attributes,
    status: str | None = None,
    said: Attributes | None = None,
) -> None:
    """Add the class of a failure if there is one; what has been found before, in words that are gone, stays.
    ``status``: the message of a span's status if that is an error; ``said`` as of ``add``."""
    sources = attributes if said is None else said
    for failure in failures_for(cli, context, name):
        if not (_fits((failure.having,), sources) if failure.having[0] else _is_failed_call(attributes, status)):
            continue
        native = attributes.text(mapping.ERROR)
        # Who classified it before may have had the message, which is private.
        kind = native if native in failures.CLASSES else failures.OTHER
        for patterns, keys in ((failures.BY_MESSAGE, failure.messages), (failures.BY_CODE, failure.codes)):
            texts = [(status or "") if key == failures.STATUS else sources.text(key) for key in keys]
            for class_, pattern in patterns:
                if any(_found(pattern, text) for text in texts if text):
                    kind = class_
        if native and native not in failures.CLASSES and mapping.NATIVE_ERROR not in attributes:
            attributes.set(mapping.NATIVE_ERROR, native)
        attributes.set(mapping.ERROR, kind)


def _is_failed_call(attributes: Attributes, status: str | None) -> bool:
    return status is not None and attributes.get(mapping.KIND) == "LLM"


def _fits(having: Iterable[tuple[str, str]], attributes: Attributes) -> bool:
    for key, pattern in having:
        if key not in attributes or (pattern and not _found(pattern, attributes.text(key))):
            return False
    return True


def _found(pattern: str, text: str) -> bool:
    return _compiled(pattern).search(text) is not None


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _copy(attributes: Attributes, sources: tuple[str, ...]) -> Scalar | None:
    return next((found for key in sources if (found := attributes.get(key)) is not None), None)


def _text(attributes: Attributes, sources: tuple[str, ...]) -> Scalar | None:
    return next((found for key in sources if isinstance(found := attributes.get(key), str)), None)


def _whole(attributes: Attributes, sources: tuple[str, ...]) -> Scalar | None:
    return next((found for key in sources if (found := attributes.whole(key)) is not None), None)


def _real(attributes: Attributes, sources: tuple[str, ...]) -> Scalar | None:
    return next((float(found) for key in sources if (found := attributes.number(key)) is not None), None)


def _sum(attributes: Attributes, sources: tuple[str, ...]) -> Scalar | None:
    if attributes.whole(sources[0]) is None:
        return None
    return sum(attributes.whole(key) or 0 for key in sources)


_READ: Final[dict[How, Callable[[Attributes, tuple[str, ...]], Scalar | None]]] = {
    How.COPY: _copy,
    How.TEXT: _text,
    How.WHOLE: _whole,
    How.REAL: _real,
    How.SUM: _sum,
}
