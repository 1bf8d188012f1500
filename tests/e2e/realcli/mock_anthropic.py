"""Mock of the Anthropic Messages API, as far as Claude Code uses it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web

from tests.e2e.realcli.mock_api import SUBAGENT_PROMPT, Json, MockApi, Plan, slow_words, sse

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


def prompt_text(message: Json) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "\n".join(block.get("text", "") for block in content or [] if block.get("type") == "text")


def find_plan(messages: list[Json]) -> tuple[Plan, int]:
    """The newest directive and how many assistant messages came after it."""
    for pos in range(len(messages) - 1, -1, -1):
        if messages[pos]["role"] == "user" and (plan := Plan.find(prompt_text(messages[pos]))):
            return plan, sum(m["role"] == "assistant" for m in messages[pos + 1 :])
    return Plan(), 0


def usage(n: int, output: int) -> Json:
    return {
        "input_tokens": 10 + n,
        "cache_creation_input_tokens": 100 * n,
        "cache_read_input_tokens": 3000 + n,
        "cache_creation": {"ephemeral_5m_input_tokens": 100 * n, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "service_tier": "standard",
    }


def tool_use(n: int, name: str, arguments: Json) -> Json:
    return {"type": "tool_use", "id": f"toolu_mock{n:06d}", "name": name, "input": arguments}


def content_of(n: int, step: str, arg: str, tools: set[str]) -> list[Json]:
    """The blocks of an answer: words, and the call of a tool if the step asks for one."""
    if step in ("bash", "outside"):
        text, call = "I will run it.", tool_use(n, "Bash", {"command": arg, "description": "Mock command"})
    elif step == "agent":
        task = {"description": "Mock sub task", "prompt": SUBAGENT_PROMPT, "subagent_type": "general-purpose"}
        text, call = "I will delegate.", tool_use(n, "Agent" if "Agent" in tools else "Task", task)
    else:
        return [{"type": "text", "text": arg or "done"}]
    return [{"type": "text", "text": text}, call]


def output_tokens(n: int, content: list[Json]) -> int:
    return (40 if len(content) > 1 else 20) + n


def stop_reason(content: list[Json]) -> str:
    return "tool_use" if len(content) > 1 else "end_turn"


class MockAnthropic(MockApi):
    """POST /v1/messages (streamed or not) and /v1/messages/count_tokens."""

    def routes(self, app: web.Application) -> None:
        app.router.add_post("/v1/messages", self.messages)
        app.router.add_post("/v1/messages/count_tokens", self.count_tokens)

    async def count_tokens(self, _request: web.Request) -> web.Response:
        return web.json_response({"input_tokens": 1234})

    async def messages(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        plan, index = find_plan(body.get("messages", []))
        tools = {tool.get("name") for tool in body.get("tools") or []}
        agent_id = request.headers.get("x-claude-code-agent-id")
        kind = "auxiliary" if not tools else "subagent" if agent_id else "main"
        step, arg = plan.step(index) if tools else ("text", "Mock title")
        row = self.open_row(
            kind=kind,
            model=body.get("model", ""),
            plan=plan,
            index=index,
            step=f"{step}:{arg}",
            session_id=request.headers.get("x-claude-code-session-id"),
            agent_id=agent_id,
        )
        n = row["n"]
        headers = {"request-id": f"req_mock{n:06d}"}
        row["request_id"] = headers["request-id"]
        if status := self.failure(row, step, arg):
            if status == 429:
                headers["retry-after"] = "1"
            error = {"type": ERROR_TYPES.get(status, "api_error"), "message": f"mock {status}"}
            return web.json_response({"type": "error", "error": error}, status=status, headers=headers)
        content = content_of(n, step, arg, tools)
        message = {
            "id": f"msg_mock{n:06d}",
            "type": "message",
            "role": "assistant",
            "model": body.get("model"),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage(n, 1),
        }
        if body.get("stream"):
            how_long = arg if step == "slow" else None
            return await self._stream(request, row, headers, message, content, how_long)
        whole = usage(n, output_tokens(n, content))
        self.close_row(row, "completed", usage=whole)
        answer = {**message, "content": content, "stop_reason": stop_reason(content), "usage": whole}
        return web.json_response(answer, headers=headers)

    async def _stream(
        self,
        request: web.Request,
        row: Json,
        headers: dict[str, str],
        message: Json,
        content: list[Json],
        how_long: str | None,
    ) -> web.StreamResponse:
        """Send an answer as events; its text word by word for ``how_long`` if given."""
        response = web.StreamResponse(headers={**headers, "content-type": "text/event-stream"})

        async def send(event: str, **fields: Any) -> None:
            await sse(response, {"type": event, **fields}, event)

        async with self.streaming(row):
            await response.prepare(request)
            await send("message_start", message=message)
            self.first_chunk(row, message["usage"])
            words = 0
            for i, block in enumerate(content):
                words += await self._block(send, i, block, how_long)
            whole = usage(row["n"], output_tokens(row["n"], content) + words)
            ended = {"stop_reason": stop_reason(content), "stop_sequence": None}
            await send("message_delta", delta=ended, usage=whole)
            await send("message_stop")
            self.close_row(row, "completed", usage=whole)
        return response

    @staticmethod
    async def _block(send: Any, i: int, block: Json, how_long: str | None) -> int:
        """Send one block; returns how many words of a slow answer it had."""
        words = 0

        async def delta(kind: str, **fields: str) -> None:
            await send("content_block_delta", index=i, delta={"type": kind, **fields})

        if block["type"] == "tool_use":
            await send("content_block_start", index=i, content_block={**block, "input": {}})
            await delta("input_json_delta", partial_json=json.dumps(block["input"]))
        else:
            await send("content_block_start", index=i, content_block={"type": "text", "text": ""})
            await asyncio.sleep(0.15)
            if how_long is None:
                await delta("text_delta", text=block["text"])
            else:
                async for word in slow_words(how_long):
                    words += 1
                    await delta("text_delta", text=word)
        await send("content_block_stop", index=i)
        return words
