"""Which records tell of a failed model call, and of which class the failure is; what is noise, and what is private.

``error.type`` is ``auth``, ``rate_limit``, ``timeout``, ``server`` or ``_OTHER``. Of the rows of CLASSES that fit, the
last one counts: a status outranks a text. Patterns are in the syntax that RE2 and Python share."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from aimond.forward.mapping import CLAUDE, CODEX, GEMINI, Context

STATUS: Final = "@status"  # the message of a span's status, among names of attributes
OTHER: Final = "_OTHER"


class Failure(Struct, frozen=True):
    """Records of ``cli`` that tell of a failed call: those of these names that have the attribute ``having`` with text
    that fits; without it, spans of kind LLM whose status is an error. ``messages`` and ``codes``: where to look."""

    cli: str
    context: Context
    messages: tuple[str, ...]
    codes: tuple[str, ...]
    names: tuple[str, ...] = ()
    having: tuple[str, str] = ("", "")


_CODEX_CALLS: Final = ("codex.api_request", "codex.websocket_request", "codex.websocket_connect", "codex.sse_event")

FAILURES: Final = (
    Failure(CLAUDE, "span", (STATUS, "error"), ("status_code",)),
    Failure(CLAUDE, "log", ("error",), ("status_code",), ("api_error", "api_retries_exhausted"), ("error", "")),
    Failure(CODEX, "span", (STATUS,), ("http.response.status_code",)),
    Failure(CODEX, "spanevent", ("error.message",), ("http.response.status_code",), having=("error.message", "")),
    Failure(CODEX, "log", ("error.message",), ("http.response.status_code",), _CODEX_CALLS, ("error.message", "")),
    Failure(
        CODEX,
        "log",
        ("error.message",),
        ("http.response.status_code",),
        ("codex.api_request",),
        ("http.response.status_code", "^[45]"),
    ),
    Failure(GEMINI, "span", (STATUS,), ()),
    Failure(
        GEMINI,
        "log",
        ("error.message", "error"),
        ("status_code", "http.status_code"),
        ("gemini_cli.api_error",),
        ("event.name", ""),
    ),
)

BY_MESSAGE: Final = (
    ("server", '(?i)overloaded|internal server|server error|bad gateway|service unavailable|"UNAVAILABLE"'),
    ("timeout", "(?i)timed? ?out|deadline.?exceeded|ETIMEDOUT"),
    ("rate_limit", "(?i)rate.?limit|too many requests|quota|resource.?(has been )?exhausted|usage limit"),
    ("auth", "(?i)unauthori[sz]ed|forbidden|api.key.not.valid|invalid.(x-)?api.key|authenticat|permission.denied"),
)
BY_CODE: Final = (
    ("server", "^5[0-9][0-9]$"),
    ("timeout", "^(408|504)$"),
    ("rate_limit", "^429$"),
    ("auth", "^40[13]$"),
)

CLASSES: Final = frozenset({OTHER, *(name for name, _ in BY_CODE)})

# Codex 0.169.0 sends 460 spans a turn, of which three or four are a turn, a call or a tool.
NOISY: Final = CODEX
NOISE: Final = "CHAIN"

# Prompts, answers, what tools are given and give back, messages of providers (they quote prompts and name accounts),
# accounts and machines' owners; on records, their events, scopes and resources.
PRIVATE: Final = (
    "prompt",
    "prompt_text",
    "user_prompt",
    "response",
    "response_text",
    "request_text",
    "reasoning",
    "routing.reasoning",
    "arguments",
    "output",
    "tool_input",
    "tool_output",
    "tool_parameters",
    "function_args",
    "full_command",
    "bash_command",
    "file_path",
    "bash_argv0",
    "metadata",
    "content",
    "body",
    "hook_name",  # Gemini CLI's are their commands
    "hook_input",
    "hook_output",
    "stdout",
    "stderr",
    "error",
    "error_message",
    "error.message",
    "exception.message",
    "exception.stacktrace",
    "gen_ai.system_instructions",
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.prompt",
    "gen_ai.completion",
    "gen_ai.tool.definitions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "input.value",
    "output.value",
    "mcp_server",
    "thread.name",  # of Codex CLI: what a thread is about, where it is no worker of its runtime
    "account_id",
    "host.id",
    "user.id",
    "user.email",
    "user.account_id",
    "user.account_uuid",
    "organization.id",
    "installation.id",
    "auth.request_id",
    "process.command",
    "process.command_args",
    "process.executable.path",
    "process.owner",
)
