"""Mock of the OpenAI Responses API (HTTP with server-sent events), as far as Codex CLI uses it."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from typing import Any

from aiohttp import web

from tests.e2e.realcli.mock_api import SUBAGENT_PROMPT, Json, MockApi, Plan, slow_words, sse

ERRORS = {
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    429: ("rate_limit_exceeded", "rate_limit_exceeded", "Rate limit reached. Please try again in 1s."),
    500: ("server_error", "server_error", "The server had an error."),
}


def item_text(item: Json) -> str:
    content = item.get("content")
    if isinstance(content, str):
        return content
    return " ".join(part.get("text", "") for part in content or [] if isinstance(part, dict))


def find_plan(items: list[Json]) -> tuple[Plan, int]:
    """The newest directive and how many tool outputs came after it."""
    plan, index = Plan(), 0
    for item in items:
        if item.get("type", "message") == "message" and item.get("role") == "user":
            if found := Plan.find(item_text(item)):
                plan, index = found, 0
        elif str(item.get("type", "")).endswith("_output"):
            index += 1
    # a sub-agent takes two calls: spawn it, then wait for it
    steps = tuple(part for step in plan.steps for part in (("agent", "wait") if step == "agent" else (step,)))
    return Plan(plan.text, plan.label, steps), index


def usage(n: int, output: int) -> Json:
    return {
        "input_tokens": 1000 + n,
        "input_tokens_details": {"cached_tokens": 600},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": 20},
        "total_tokens": 1000 + n + output,
    }


class MockOpenAI(MockApi):
    """POST /v1/responses, GET /v1/models, and the turn-cost endpoint (no prices)."""

    def routes(self, app: web.Application) -> None:
        app.router.add_post("/v1/responses", self.responses)
        app.router.add_get("/v1/models", self.models)
        app.router.add_post("/v1/analytics/codex/turn-costs", self.turn_costs)

    async def models(self, _request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [], "models": []})

    async def turn_costs(self, _request: web.Request) -> web.Response:
        return web.json_response({"turns": []})

    async def responses(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        items = body.get("input") or []
        plan, index = find_plan(items if isinstance(items, list) else [{"role": "user", "content": items}])
        tools = {tool.get("name") or tool.get("type") for tool in body.get("tools") or []}
        turn = json.loads(request.headers.get("x-codex-turn-metadata") or "{}")
        source = turn.get("thread_source", "user")
        kind = {"user": "main", "subagent": "subagent"}.get(source, "auxiliary")
        step, arg = plan.step(index) if kind != "auxiliary" else ("text", "Mock title")
        row = self.open_row(
            kind=kind,
            model=body.get("model", ""),
            plan=plan,
            index=index,
            step=f"{step}:{arg}",
            session_id=request.headers.get("thread-id"),
            turn_id=turn.get("turn_id"),
            thread_source=source,
        )
        n = row["n"]
        headers = {"x-request-id": f"req_mock{n:06d}"}
        row["request_id"] = headers["x-request-id"]
        if status := self.failure(row, step, arg):
            if status == 429:
                headers["retry-after"] = "1"
            type_, code, text = ERRORS.get(status, ERRORS[500])
            return web.json_response(
                {"error": {"type": type_, "code": code, "message": text}}, status=status, headers=headers
            )

        response = web.StreamResponse(headers={**headers, "content-type": "text/event-stream"})
        answer = {"id": "resp_" + uuid.uuid4().hex, "object": "response", "model": body.get("model")}

        async def send(event: str, **fields: Any) -> None:
            await sse(response, {"type": event, **fields}, event)

        async with self.streaming(row):
            await response.prepare(request)
            await send("response.created", response={**answer, "status": "in_progress"})
            self.first_chunk(row)
            counts = usage(n, 50 + n + await self._play(send, step, arg, tools, items))
            await send("response.completed", response={**answer, "status": "completed", "usage": counts, "output": []})
            self.close_row(row, "completed", usage=counts)
            await response.write_eof()
        return response

    async def _play(self, send: Any, step: str, arg: str, tools: set[str], items: list[Json]) -> int:
        """Send what the step says; returns how many words of a slow answer it had."""
        if step in ("bash", "outside"):
            await self._call(send, *self._shell(tools, arg, escalated=step == "outside"))
        elif step == "agent":
            await self._call(send, "spawn_agent", {"message": SUBAGENT_PROMPT}, "multi_agent_v1")
        elif step == "wait":
            ids = re.findall(r"agent_id[^0-9a-f]+([0-9a-f-]{36})", json.dumps(items))
            await self._call(send, "wait_agent", {"targets": ids[:1], "timeout_ms": 15000}, "multi_agent_v1")
        else:
            return await self._message(send, step, arg)
        return 0

    @staticmethod
    def _shell(tools: set[str], command: str, *, escalated: bool) -> tuple[str, Json]:
        """A call of the shell tool, whose name depends on the model."""
        arguments: Json
        if "exec_command" in tools:
            name, arguments = "exec_command", {"cmd": command}
        elif "shell_command" in tools:
            name, arguments = "shell_command", {"command": command}
        else:
            name, arguments = "shell", {"command": ["bash", "-c", command]}
        if escalated:
            arguments |= {
                "sandbox_permissions": "require_escalated",
                "justification": "the mock model wants to leave the sandbox",
            }
        return name, arguments

    @staticmethod
    async def _call(send: Any, name: str, arguments: Json, namespace: str | None = None) -> None:
        item = {
            "type": "function_call",
            "id": "fc_" + uuid.uuid4().hex[:12],
            "call_id": "call_" + uuid.uuid4().hex[:12],
            "name": name,
            "arguments": json.dumps(arguments),
            "status": "completed",
        }
        if namespace:
            item["namespace"] = namespace
        await send(
            "response.output_item.added", output_index=0, item={**item, "arguments": "", "status": "in_progress"}
        )
        await send("response.output_item.done", output_index=0, item=item)

    @staticmethod
    async def _message(send: Any, step: str, arg: str) -> int:
        """Stream a final answer; returns how many words went over the plain ones."""
        item = {"type": "message", "id": "msg_" + uuid.uuid4().hex, "role": "assistant"}
        await send("response.output_item.added", output_index=0, item={**item, "status": "in_progress", "content": []})
        words: list[str] = []

        async def delta(word: str) -> None:
            words.append(word)
            await send("response.output_text.delta", item_id=item["id"], output_index=0, content_index=0, delta=word)

        if step == "slow":
            async for word in slow_words(arg):
                await delta(word)
        else:
            for word in re.findall(r"\S+\s*", arg or "done"):
                await delta(word)
                await asyncio.sleep(0.02)
        await send(
            "response.output_item.done",
            output_index=0,
            item={
                **item,
                "status": "completed",
                "phase": "final_answer",
                "content": [{"type": "output_text", "text": "".join(words), "annotations": []}],
            },
        )
        return len(words) if step == "slow" else 0
