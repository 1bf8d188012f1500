"""The contract: what the service says of itself and what it does are what ``dbus/org.ai.Monitor.xml`` says."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from dbus_fast import Message

from aimond.bus.contract import xml_file
from aimond.bus.service import Service
from aimond.core.change import Reason
from aimond.core.snapshot import State
from tests.bus.reader import INTROSPECTABLE, NAME, OBJECT_MANAGER, ONE, ROOT, SESSION, Reader
from tests.bus.standin import NOW, Standin

CONTRACT = Path(__file__).parents[2] / "dbus" / "org.ai.Monitor.xml"

Members = dict[tuple[str, str], Any]


def members(xml: str, interface: str) -> Members:
    """Everything an interface declares, in a form that compares: (kind, name) → arguments or type, and annotations."""
    (element,) = [one for one in ElementTree.fromstring(xml).iter("interface") if one.get("name") == interface]
    return {(member.tag, member.attrib["name"]): declared(member) for member in element}


def declared(element: ElementTree.Element) -> Any:
    attributes = sorted(item for item in element.attrib.items() if item[0] != "name" or element.tag != "interface")
    return element.tag, attributes, [declared(child) for child in element]


def signatures(xml: str, interface: str, kind: str, direction: str | None = None) -> dict[str, str]:
    (element,) = [one for one in ElementTree.fromstring(xml).iter("interface") if one.get("name") == interface]
    return {
        member.attrib["name"]: "".join(
            arg.attrib["type"] for arg in member.iter("arg") if direction in (None, arg.get("direction"))
        )
        for member in element.iter(kind)
    }


def types(xml: str, interface: str) -> dict[str, str]:
    (element,) = [one for one in ElementTree.fromstring(xml).iter("interface") if one.get("name") == interface]
    return {member.attrib["name"]: member.attrib["type"] for member in element.iter("property")}


async def introspect(reader: Reader, path: str) -> str:
    return str(await reader.result("Introspect", path=path, interface=INTROSPECTABLE))


async def test_the_live_introspection_is_the_contract(service: Service, source: Standin, reader: Reader) -> None:
    service.publish(source.add())
    contract = CONTRACT.read_text()
    for path, interface in ((ROOT, NAME), (ONE, SESSION)):
        expected = members(contract, interface)
        assert len(expected) > 30
        assert members(await introspect(reader, path), interface) == expected


async def test_the_live_introspection_carries_the_manual(service: Service, reader: Reader) -> None:
    assert "Show a generic text for values you do not know." in await introspect(reader, ROOT)


async def test_the_tree_leads_to_every_session(service: Service, source: Standin, reader: Reader) -> None:
    service.publish([*source.add("one"), *source.add("two", agent="codex")])
    found, ahead = [], ["/"]
    while ahead:
        path = ahead.pop()
        node = ElementTree.fromstring(await introspect(reader, path))
        found += [(path, one.attrib["name"]) for one in node.iter("interface") if one.attrib["name"].startswith(NAME)]
        ahead += [f"{path.rstrip('/')}/{child.attrib['name']}" for child in node.findall("node")]
    assert sorted(found) == [(ROOT, NAME), (ONE, SESSION), (f"{ROOT}/session/codex_two", SESSION)]


async def test_every_property_has_the_type_the_contract_gives_it(
    service: Service, source: Standin, reader: Reader
) -> None:
    service.publish(source.add(parent="two"))
    contract = CONTRACT.read_text()
    for path, interface in ((ROOT, NAME), (ONE, SESSION)):
        told = {name: value.signature for name, value in (await reader.properties(path, interface)).items()}
        assert told == types(contract, interface)
    managed = await reader.result("GetManagedObjects", interface=OBJECT_MANAGER)
    assert {path: list(interfaces) for path, interfaces in managed.items()} == {ONE: [SESSION]}
    assert {name: value.signature for name, value in managed[ONE][SESSION].items()} == types(contract, SESSION)


async def test_every_answer_and_signal_has_the_signature_the_contract_gives_it(
    service: Service, source: Standin, reader: Reader
) -> None:
    service.publish([*source.add(), *source.state(State.COMPLETED), *source.completed(), *source.attention("quiet")])
    service.publish([*source.remove(), *source.add()])
    source.reasons = [Reason(NOW, "idle", "timer", "inferred", "")]
    contract = CONTRACT.read_text()
    declared_signals = signatures(contract, NAME, "signal")
    heard: list[Message] = [signal for signal in await reader.heard() if signal.interface == NAME]
    assert {str(signal.member) for signal in heard} == set(declared_signals) - {"BudgetCrossed"}
    assert {signal.signature for signal in heard if signal.signature != declared_signals[str(signal.member)]} == set()
    gives = signatures(contract, NAME, "method", "out")
    for member, body in {"ListSessions": [], "GetSession": ["one"], "Explain": ["one"], "Acknowledge": ["one"]}.items():
        reply = await reader.call(member, *body, takes="s" if body else "")
        assert reply.signature == gives[member]


async def test_methods_said_to_be_missing_are_exactly_those_that_are(
    service: Service, source: Standin, reader: Reader
) -> None:
    service.publish(source.add())
    values = {"s": "one", "u": 1, "a{sv}": {}, "": None}
    contract = CONTRACT.read_text()
    said, refused = set(), set()
    for path, interface in ((ROOT, NAME), (ONE, SESSION)):
        manual = contract.split(f'<interface name="{interface}">')[1].split("</interface>")[0]
        for member, takes in signatures(contract, interface, "method", "in").items():
            comment = manual.split(f"        {member}:\n")[1].split("-->")[0]
            said |= {(interface, member)} if "Not yet: answers" in comment else set()
            kinds = ["s", "s", "a{sv}"] if takes == "ssa{sv}" else list(takes)
            reply = await reader.call(
                member, *(values[kind] for kind in kinds), takes=takes, path=path, interface=interface
            )
            refused |= {(interface, member)} if reply.error_name == f"{NAME}.Error.NotSupported" else set()
    assert said == refused


def test_the_contract_is_found_in_a_checkout() -> None:
    assert xml_file().samefile(CONTRACT)


def test_the_contract_is_found_when_installed(tmp_path: Path) -> None:
    package = tmp_path / "aimond"
    shutil.copytree(CONTRACT.parents[1] / "aimond", package, ignore=shutil.ignore_patterns("__pycache__"))
    installed = shutil.copy(CONTRACT, package / "bus")
    ask = "from aimond.bus import contract; print(contract.xml_file(), contract.MONITOR.name)"
    answer = subprocess.check_output([sys.executable, "-c", ask], cwd=tmp_path, text=True)
    assert answer.split() == [str(installed), NAME]
