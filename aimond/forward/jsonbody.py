"""OTLP/JSON as the protobuf messages that it stands for."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final

from google.protobuf.json_format import ParseDict, ParseError

# Of protobuf's words (7.36) only these: the others quote what was sent.
_FIELDS: Final = re.compile(r"(?:Failed to parse \w{1,64} field: )+")
_IDS: Final = frozenset({"traceId", "spanId", "parentSpanId"})
# Who writes what: JavaScript's null is "absent" (Gemini CLI 0.61.0 has null where attributes have no value).


def into(message: Any, document: dict[str, Any]) -> Any:
    """The request. Fields that OTLP does not know are passed over. Raises ValueError when it is none."""
    try:
        return ParseDict(_plain(document), message, ignore_unknown_fields=True)
    except (ParseError, RecursionError, TypeError, AttributeError, OverflowError, binascii.Error) as error:
        raise ValueError(f"no OTLP/JSON: {_where(error)}") from None


def _where(error: Exception) -> str:
    fields = _FIELDS.match(str(error))
    return ".".join(fields[0].split()[3::5]) if fields else type(error).__name__


def _plain(value: Any) -> Any:
    """With ids as protobuf's own JSON has them: base64, where OTLP says hex. Half an emoji, which is what JavaScript
    leaves of one that it cuts, is no text to protobuf: it becomes a question mark."""
    if isinstance(value, dict):
        kept = {_whole(key): inner for key, inner in value.items() if inner is not None}
        return {key: _id(inner) if key in _IDS else _plain(inner) for key, inner in kept.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value if inner is not None]
    return _whole(value) if isinstance(value, str) else value


def _whole(text: str) -> str:
    return text if text.isascii() else text.encode(errors="replace").decode()


def _id(text: Any) -> str:
    return base64.b64encode(bytes.fromhex(text)).decode() if isinstance(text, str) else ""
