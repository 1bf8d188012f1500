"""Mock of the Anthropic Messages API, as far as Claude Code uses it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web
from mock_common import SUBAGENT_PROMPT, Json, MockApi, Plan, slow_words

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

        content: list[Json] = [
            {
                "type": "text",
                "text": {"bash": "I will run it.", "outside": "I will run it.", "agent": "I will delegate."}.get(
                    step, arg or "done"
                ),
            }
        ]
        if step in ("bash", "outside"):
            content.append(self._tool(n, "Bash", {"command": arg, "description": "Mock command"}))
        elif step == "agent":
            content.append(
                self._tool(
                    n,
                    "Agent" if "Agent" in tools else "Task",
                    {"description": "Mock sub task", "prompt": SUBAGENT_PROMPT, "subagent_type": "general-purpose"},
                )
            )
        wants_tool = len(content) > 1
        stop_reason = "tool_use" if wants_tool else "end_turn"
        output = (40 if wants_tool else 20) + n
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
        if not body.get("stream"):
            self.close_row(row, "completed", usage=usage(n, output))
            return web.json_response(
                {**message, "content": content, "stop_reason": stop_reason, "usage": usage(n, output)}, headers=headers
            )

        response = web.StreamResponse(headers={**headers, "content-type": "text/event-stream"})

        async def send(event: str, **fields: Any) -> None:
            await response.write(f"event: {event}\ndata: {json.dumps({'type': event, **fields})}\n\n".encode())

        async with self.streaming(row):
            await response.prepare(request)
            await send("message_start", message=message)
            self.first_chunk(row, usage(n, 1))
            for i, block in enumerate(content):
                if block["type"] == "text":
                    await send("content_block_start", index=i, content_block={"type": "text", "text": ""})
                    await asyncio.sleep(0.15)
                    if step == "slow":
                        async for word in slow_words(float(arg)):
                            output += 1
                            await send("content_block_delta", index=i, delta={"type": "text_delta", "text": word})
                    else:
                        await send("content_block_delta", index=i, delta={"type": "text_delta", "text": block["text"]})
                else:
                    await send("content_block_start", index=i, content_block={**block, "input": {}})
                    await send(
                        "content_block_delta",
                        index=i,
                        delta={"type": "input_json_delta", "partial_json": json.dumps(block["input"])},
                    )
                await send("content_block_stop", index=i)
            await send(
                "message_delta", delta={"stop_reason": stop_reason, "stop_sequence": None}, usage=usage(n, output)
            )
            await send("message_stop")
            self.close_row(row, "completed", usage=usage(n, output))
        return response

    @staticmethod
    def _tool(n: int, name: str, arguments: Json) -> Json:
        return {"type": "tool_use", "id": f"toolu_mock{n:06d}", "name": name, "input": arguments}
