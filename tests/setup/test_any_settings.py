"""Whatever settings somebody has: nothing of them is lost, a second setup changes nothing, and all of it comes back."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from home import CLIS, FILES, wanted
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimond.agents.codex.tomltext import TomlText
from aimond.agents.jsonsettings import plain_of
from aimond.agents.jsontext import JsonText
from aimond.agents.settings import Past, is_ours
from aimond.commands import setup_plan, setup_record

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["//", "/*", "#", '"', "\\", "]"]
)
scalars = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | words
values = st.recursive(
    scalars, lambda each: st.lists(each, max_size=3) | st.dictionaries(words, each, max_size=3), max_leaves=12
)

# -- JSON -------------------------------------------------------------------------------------------

commands = st.sampled_from(["mine", "notify-send done", "aimond status"])
handlers = st.lists(st.fixed_dictionaries({"type": st.just("command"), "command": commands}), min_size=1, max_size=2)
groups = st.lists(st.fixed_dictionaries({"hooks": handlers}, optional={"matcher": words}), min_size=1, max_size=2)
hooks = st.dictionaries(st.sampled_from(["Stop", "SessionStart", "AfterTool", "PreToolUse"]), groups, min_size=1)
env = st.dictionaries(
    st.sampled_from(["EDITOR", "OTEL_LOGS_EXPORT_INTERVAL"]), st.sampled_from(["1", "vi"]), min_size=1
)
telemetry = st.dictionaries(st.sampled_from(["logPrompts", "useCollector"]), st.booleans(), min_size=1)
documents = st.builds(
    lambda rest, known: {**rest, **known},
    st.dictionaries(words.filter(lambda key: key not in ("hooks", "env", "telemetry")), values, max_size=4),
    st.fixed_dictionaries({}, optional={"hooks": hooks, "env": env, "telemetry": telemetry}),
)
layouts = st.tuples(
    st.sampled_from([None, 0, 2, 4, "\t"]), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "\n", " \n\n"])
)


def written(document: Any, layout: tuple[Any, str, str]) -> str:
    indent, newline, end = layout
    return json.dumps(document, indent=indent, ensure_ascii=False).replace("\n", newline) + end.replace("\n", newline)


@st.composite
def commented(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    """The text with comments at the ends of its lines, and between them."""
    comments = st.sampled_from(["", "", " // said, {here}", " /* said, [here] */", "\n/* a line, */"])
    lines = draw(texts).split("\n")
    return "\n".join(line.rstrip("\r") + draw(comments) + "\r" * line.endswith("\r") for line in lines)


def without_empty(plain: Any) -> Any:
    """What an object is but for members that hold nothing."""
    return {key: value for key, value in plain.items() if value != {}}


def without_ours(plain: dict[str, Any]) -> dict[str, Any]:
    """A document of Claude Code or Gemini CLI but for hooks of ours."""
    events = {
        event: [group for group in groups if not any(is_ours(each.get("command")) for each in group["hooks"])]
        for event, groups in plain.get("hooks", {}).items()
    }
    return {**plain, "hooks": {event: groups for event, groups in events.items() if groups}}


def check_json(cli: str, text: str) -> None:
    name = CLIS[cli].files[0]
    before = plain_of(text, cli == "gemini")
    edit = CLIS[cli].add({name: text}, wanted(cli))
    after = plain_of(edit.files[name], cli == "gemini")
    kept = without_ours(after)
    for key, value in before.items():
        if key in ("env", "telemetry"):
            assert {each: kept[key][each] for each in value} == value
        else:
            assert kept[key] == value
    assert CLIS[cli].add({name: edit.files[name], ".env": edit.files.get(".env", "")}, wanted(cli)).files == {}
    past = Past({name: text}, edit.files)
    back = CLIS[cli].remove(edit.files, wanted(cli, past=past)).files[name]
    assert plain_of(back, cli == "gemini") == before
    if text.strip():
        assert back == text


@quick
@given(st.builds(written, documents, layouts))
def test_claude_codes_settings(text: str) -> None:
    check_json("claude", text)


@quick
@given(commented(st.builds(written, documents, layouts)))
def test_gemini_clis_settings_with_comments(text: str) -> None:
    check_json("gemini", text)


@quick
@given(commented(st.builds(written, documents, layouts)), words, values, values)
def test_what_was_put_into_json_can_be_taken_out(text: str, key: str, one: Any, other: Any) -> None:
    document = JsonText.parse(text, comments=True)
    if key in document.plain:
        assert document.put((key,), one).plain == {**document.plain, key: one}
        rest = {name: value for name, value in document.plain.items() if name != key}
        assert document.drop((key,)).plain == rest
        return
    more = document.put((key,), [one]).append((key,), other)
    assert more.plain == {**document.plain, key: [one, other]}
    assert more.drop((key, 0)).plain == {**document.plain, key: [other]}
    assert more.drop((key, 1)).plain == {**document.plain, key: [one]}
    assert more.drop((key,)).plain == document.plain
    comments = re.findall(r"said, |a line,", text)
    assert re.findall(r"said, |a line,", more.drop((key,)).text) == comments


@quick
@given(st.text(alphabet='{}[]",:/* \n\\ab1-.eEtrufals\ufeff', max_size=40))
def test_anything_that_is_read_as_json_is_json(text: str) -> None:
    try:
        document = JsonText.parse(text)
    except ValueError:
        return
    assert document.plain == (json.loads(text.removeprefix("\ufeff")) if document.root else {})


# -- TOML -------------------------------------------------------------------------------------------

keys = st.sampled_from(["a", "b", "model", "profile", '"x y"', "'z.z'"])
literals = st.sampled_from(
    [
        "1",
        '"x"',
        "'\\'",
        '"""\n[otel]\n"""',
        "'''\n# '' no\n'''",
        "[1, # ]\n  2,\n]",
        '{ a = "b # }" }',
        "2026-01-01",
        "[]",
        "{}",
    ]
)
ends = st.sampled_from(["\n", "\n", " # said\n", "\n\n", "\n# a line\n"])
pairs = st.builds(lambda key, value, end: f"{key} = {value}{end}", keys, literals, ends)
headers = st.sampled_from(["[tui]", "[otel]", "[ projects . '/x' ]", "[[mcp]]", "[[hooks.Stop]]", "[hooks.state.'k']"])
sections = st.builds(
    lambda header, end, body: f"{header}{end}{''.join(body)}", headers, ends, st.lists(pairs, max_size=3)
)
tomls = st.builds(
    lambda top, rest, windows: "".join([*top, *rest]).replace("\n", windows),
    st.lists(pairs, max_size=3),
    st.lists(sections, max_size=4),
    st.sampled_from(["\n", "\n", "\r\n"]),
)


def is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


@settings(quick, max_examples=80)
@given(tomls.filter(is_toml))
def test_codex_clis_settings(text: str) -> None:
    before = tomllib.loads(text)
    edit = CLIS["codex"].add({"config.toml": text}, wanted("codex"))
    after = tomllib.loads(edit.files["config.toml"])
    for key, value in before.items():
        if key == "otel":
            assert {each: after["otel"][each] for each in value} == value
        elif key == "hooks":
            assert after["hooks"].get("state") == value.get("state")
            assert after["hooks"]["Stop"][:-1] == value.get("Stop", [])
        else:
            assert after[key] == value
    assert CLIS["codex"].add(edit.files, wanted("codex")).files == {}
    past = Past({"config.toml": text}, edit.files)
    back = CLIS["codex"].remove(edit.files, wanted("codex", past=past)).files["config.toml"]
    assert tomllib.loads(back) == before
    assert back.split() == text.split()


@quick
@given(tomls.filter(is_toml))
def test_every_statement_of_toml_is_found(text: str) -> None:
    document = TomlText.parse(text)
    for statement in document.statements:
        node: Any = document.plain
        for key in statement.path:
            node = node[-1] if isinstance(node, list) else node
            assert key in node or isinstance(node, dict)
            node = node.get(key, {})
    found = "".join(text[each.start : each.end] for each in document.statements)
    assert [line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")] == [
        line for line in found.splitlines() if line.strip() and not line.strip().startswith("#")
    ]


# -- on the disk ------------------------------------------------------------------------------------


@settings(quick, max_examples=25)
@given(
    claude=st.builds(written, documents, layouts),
    gemini=commented(st.builds(written, documents, layouts)),
    codex=tomls.filter(is_toml),
    bom=st.sampled_from(["", "\ufeff"]),
)
def test_all_bytes_come_back(tmp_path_factory: Any, claude: str, gemini: str, codex: str, bom: str) -> None:
    home: Path = tmp_path_factory.mktemp("home")
    texts = {"claude": bom + claude, "gemini": bom + gemini, "codex": bom + codex}
    place = setup_record._place
    setup_record._place = lambda real: home / "state" / "aimond" / place(real).name
    try:
        for cli, text in texts.items():
            file = home / FILES[cli]
            file.parent.mkdir()
            file.write_bytes(text.encode())
            setup_plan.carry_out(setup_plan.add(CLIS[cli], file.parent, wanted(cli)))
            assert file.read_bytes() != text.encode()
            assert setup_plan.add(CLIS[cli], file.parent, wanted(cli)).changes == ()
            setup_plan.carry_out(setup_plan.remove(CLIS[cli], file.parent, wanted(cli)))
            assert file.read_bytes() == text.encode()
            assert list(file.parent.iterdir()) == [file]
    finally:
        setup_record._place = place
