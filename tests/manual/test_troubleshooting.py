"""Everything that ``aimond doctor`` can say is explained in docs/troubleshooting.md."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from aimond.commands import doctor_verdicts
from aimond.commands.doctor_facts import Finding, Severity

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from manual import trouble  # noqa: E402
from manual.scenes import NOTHING, SCENES, Scene, said  # noqa: E402

each_scene = pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.title)


def finds(path: Path) -> list[range]:
    """The lines on which a file makes findings that are not simply well."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    made = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Finding"]
    return [range(call.lineno, (call.end_lineno or 0) + 1) for call in made if ast.unparse(call.args[0]) != "OK"]


def rules() -> dict[ModuleType, list[range]]:
    files = {path: finds(path) for path in sorted((ROOT / "aimond" / "commands").glob("doctor*.py"))}
    return {importlib.import_module(f"aimond.commands.{path.stem}"): lines for path, lines in files.items() if lines}


def test_every_finding_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    made: set[tuple[str, int]] = set()

    def noted(*arguments: Any) -> Finding:
        caller = sys._getframe(1)
        made.add((caller.f_globals["__name__"], caller.f_lineno))
        return Finding(*arguments)

    found = rules()
    assert sum(map(len, found.values())) > 20
    for module in found:
        monkeypatch.setattr(module, "Finding", noted)
    for scene in SCENES:
        said(scene)
    missing = [
        f"{module.__name__}:{lines.start}"
        for module, calls in found.items()
        for lines in calls
        if not any((module.__name__, line) in made for line in lines)
    ]
    assert missing == [], "tools/manual/scenes.py needs a scene for each"


def test_every_verdict_on_a_process_is_explained() -> None:
    told = [finding.what for scene in SCENES for finding in said(scene) if finding.about == "running"]
    verdicts = [what.partition("{")[0] for _, severity, what in doctor_verdicts.VERDICTS if severity is not Severity.OK]
    assert len(verdicts) > 5
    assert [what for what in verdicts if not any(each.startswith(what) for each in told)] == []


@each_scene
def test_a_scene_shows_what_it_is_about(scene: Scene) -> None:
    found = [each for each in said(scene) if each.about == scene.about and each.severity is not Severity.OK]
    assert len(found) == 1
    (finding,) = found
    assert bool(finding.todo) != (scene.todo != NOTHING) or not finding.todo, "doctor says already what to do"
    assert finding.severity is Severity.NOTE or finding.todo


def test_each_finding_is_told_once() -> None:
    told = [
        (scene.area, each.what, each.todo)
        for scene in SCENES
        for each in said(scene)
        if each.about == scene.about and each.severity is not Severity.OK
    ]
    assert len(told) == len(set(told))


def test_every_area_has_its_place_on_the_page() -> None:
    page = trouble.markdown()
    assert "<!--" not in page.partition("# Troubleshooting")[2]
    assert [scene.title for scene in SCENES if f"### {scene.title}\n" not in page] == []
