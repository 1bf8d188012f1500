"""Mock of the Gemini API (generativelanguage v1beta), as far as Gemini CLI uses it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web
from mock_common import SUBAGENT_PROMPT, Json, MockApi, Plan, slow_words

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
        row = self.open_row(
            kind="auxiliary" if auxiliary else "subagent" if subagent else "main",
            model=model,
            plan=plan,
            index=index,
            step=f"{step}:{arg}",
        )
        n = row["n"]
        if status := self.failure(row, step, arg):
            name, text = ERRORS.get(status, ERRORS[500])
            return web.json_response({"error": {"code": status, "message": text, "status": name}}, status=status)

        def reply(parts: list[Json], counts: Json, finish: str | None = None) -> Json:
            candidate: Json = {"content": {"role": "model", "parts": parts}, "index": 0}
            if finish:
                candidate["finishReason"] = finish
            return {
                "candidates": [candidate],
                "usageMetadata": counts,
                "modelVersion": model,
                "responseId": f"mock-{n:06d}",
            }

        call: Json | None = None
        if step in ("bash", "outside"):
            call = {"name": "run_shell_command", "args": {"command": arg, "description": "Mock command"}}
        elif step == "agent":
            call = {"name": "invoke_agent", "args": {"agent_name": "generalist", "prompt": SUBAGENT_PROMPT}}
        elif subagent and index >= len(plan.steps) - 1:
            declared = tools["complete_task"]
            schema = declared.get("parametersJsonSchema") or declared.get("parameters") or {}
            call = {"name": "complete_task", "args": fake_value(schema)}
        if as_json:
            schema = config.get("responseJsonSchema") or config.get("responseSchema") or {}
            arg = json.dumps(fake_value(schema))
        output = 100 + n
        final = usage(n, output)
        if verb == "generateContent":
            self.close_row(row, "completed", usage=final)
            return web.json_response(reply([{"functionCall": call}] if call else [{"text": arg}], final, "STOP"))

        response = web.StreamResponse(headers={"content-type": "text/event-stream"})

        async def send(chunk: Json) -> None:
            await response.write(f"data: {json.dumps(chunk)}\r\n\r\n".encode())

        async with self.streaming(row):
            await response.prepare(request)
            counts = usage(n, 0)
            await send(reply([{"thought": True, "text": "**Considering**\n\nthe request."}], counts))
            self.first_chunk(row, counts)
            await asyncio.sleep(0.15)
            if call:
                await send(reply([{"text": "I will use a tool. "}], usage(n, 10)))
                await send(reply([{"functionCall": call}], final, "STOP"))
            elif step == "slow":
                words = 0
                async for word in slow_words(float(arg)):
                    words += 1
                    row["usage"] = usage(n, words)
                    await send(reply([{"text": word}], row["usage"]))
                final = usage(n, words)
                await send(reply([{"text": "end"}], final, "STOP"))
            else:
                await send(reply([{"text": arg or "done"}], final, "STOP"))
            self.close_row(row, "completed", usage=final)
            await response.write_eof()
        return response
