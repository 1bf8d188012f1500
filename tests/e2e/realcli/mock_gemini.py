"""Mock of the Gemini API (generativelanguage v1beta), as far as Gemini CLI uses it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web

from tests.e2e.realcli.mock_api import SUBAGENT_PROMPT, Json, MockApi, Plan, slow_words

ERRORS = {
    400: ("INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
    401: ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
    403: ("PERMISSION_DENIED", "Permission denied."),
    429: ("RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
    500: ("INTERNAL", "An internal error has occurred."),
    503: ("UNAVAILABLE", "The model is overloaded. Please try again later."),
}


def find_plan(contents: list[Json]) -> tuple[Plan, int]:
    """The newest directive and how many tool answers came after it."""
    index = 0
    for content in reversed(contents):
        if content.get("role") != "user":
            continue
        parts = content.get("parts", [])
        if any("functionResponse" in part for part in parts):
            index += 1
        elif plan := Plan.find("\n".join(part.get("text", "") for part in parts)):
            return plan, index
    return Plan(), index


def usage(n: int, output: int, thoughts: int = 60, tool: int = 15) -> Json:
    prompt = 10000 + n
    return {
        "promptTokenCount": prompt,
        "cachedContentTokenCount": 8000,
        "candidatesTokenCount": output,
        "thoughtsTokenCount": thoughts,
        "toolUsePromptTokenCount": tool,
        "totalTokenCount": prompt + output + thoughts + tool,
    }


def fake_value(schema: Any) -> Any:
    """A value which satisfies a JSON schema."""
    if not isinstance(schema, dict):
        return "x"
    if schema.get("enum"):
        return schema["enum"][0]
    kind = str(schema.get("type", "object")).lower()
    if kind == "object":
        return {key: fake_value(value) for key, value in (schema.get("properties") or {}).items()}
    if kind in ("number", "integer"):
        return max(20, schema.get("minimum") or 0)
    return {"array": [], "boolean": False}.get(kind, "mock")


def call_of(step: str, arg: str, tools: dict[str, Json], *, finishing: bool) -> Json | None:
    """The tool call that a step asks for; ``finishing``: a sub-agent's last one."""
    if step in ("bash", "outside"):
        return {"name": "run_shell_command", "args": {"command": arg, "description": "Mock command"}}
    if step == "agent":
        return {"name": "invoke_agent", "args": {"agent_name": "generalist", "prompt": SUBAGENT_PROMPT}}
    if finishing:
        declared = tools["complete_task"]
        schema = declared.get("parametersJsonSchema") or declared.get("parameters") or {}
        return {"name": "complete_task", "args": fake_value(schema)}
    return None


def reply(row: Json, part: Json, counts: Json, finish: str | None = None) -> Json:
    """One chunk of an answer, or a whole one."""
    candidate: Json = {"content": {"role": "model", "parts": [part]}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": counts,
        "modelVersion": row["model"],
        "responseId": f"mock-{row['n']:06d}",
    }


class MockGemini(MockApi):
    """POST /v1beta/models/MODEL:VERB."""

    def routes(self, app: web.Application) -> None:
        app.router.add_post(r"/{version:v1[a-z]*}/models/{model:[^:]+}:{verb:\w+}", self.model_call)

    async def model_call(self, request: web.Request) -> web.StreamResponse:
        model, verb = request.match_info["model"], request.match_info["verb"]
        body = await request.json()
        if verb == "countTokens":
            return web.json_response({"totalTokens": 1234})
        if verb in ("embedContent", "batchEmbedContents"):
            return web.json_response({"embeddings": [{"values": [0.1] * 8}]})
        config = body.get("generationConfig") or {}
        as_json = config.get("responseMimeType") == "application/json"
        tools = {f["name"]: f for tool in body.get("tools") or [] for f in tool.get("functionDeclarations") or []}
        plan, index = find_plan(body.get("contents") or [])
        auxiliary = as_json or not tools
        subagent = "complete_task" in tools
        step, arg = ("text", "Mock text") if auxiliary else plan.step(index)
        kind = "auxiliary" if auxiliary else "subagent" if subagent else "main"
        row = self.open_row(kind=kind, model=model, plan=plan, index=index, step=f"{step}:{arg}")
        if status := self.failure(row, step, arg):
            name, text = ERRORS.get(status, ERRORS[500])
            return web.json_response({"error": {"code": status, "message": text, "status": name}}, status=status)
        if as_json:
            schema = config.get("responseJsonSchema") or config.get("responseSchema") or {}
            arg = json.dumps(fake_value(schema))
        call = call_of(step, arg, tools, finishing=subagent and index >= len(plan.steps) - 1)
        part: Json = {"functionCall": call} if call else {"text": arg or "done"}
        if verb != "generateContent":
            return await self._stream(request, row, part, arg if step == "slow" else None)
        whole = usage(row["n"], 100 + row["n"])
        self.close_row(row, "completed", usage=whole)
        return web.json_response(reply(row, part, whole, "STOP"))

    async def _stream(self, request: web.Request, row: Json, part: Json, how_long: str | None) -> web.StreamResponse:
        """Send an answer in chunks: a thought, then its part, or words for ``how_long`` if given."""
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        n = row["n"]

        async def send(part: Json, counts: Json, finish: str | None = None) -> None:
            await response.write(f"data: {json.dumps(reply(row, part, counts, finish))}\r\n\r\n".encode())

        async with self.streaming(row):
            await response.prepare(request)
            await send({"thought": True, "text": "**Considering**\n\nthe request."}, usage(n, 0))
            self.first_chunk(row, usage(n, 0))
            await asyncio.sleep(0.15)
            whole = usage(n, 100 + n)
            if "functionCall" in part:
                await send({"text": "I will use a tool. "}, usage(n, 10))
            elif how_long is not None:
                words = 0
                async for word in slow_words(how_long):
                    words += 1
                    row["usage"] = whole = usage(n, words)
                    await send({"text": word}, whole)
                part = {"text": "end"}
            await send(part, whole, "STOP")
            self.close_row(row, "completed", usage=whole)
            await response.write_eof()
        return response
