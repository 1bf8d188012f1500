"""The D-Bus contract as tables, read from ``org.ai.Monitor.xml``: what is not in that file is not on the bus."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar
from xml.etree import ElementTree

from msgspec import Struct

from aimond.bus.standard import STANDARD_XML

T = TypeVar("T")

NAME: Final = "org.ai.Monitor"
ROOT: Final = "/org/ai/Monitor"
SESSIONS: Final = f"{ROOT}/session/"
INTERFACE_VERSION: Final = 1

NO_SUCH_SESSION: Final = f"{NAME}.Error.NoSuchSession"
INVALID_ARGUMENT: Final = f"{NAME}.Error.InvalidArgument"
NOT_SUPPORTED: Final = f"{NAME}.Error.NotSupported"
FAILED: Final = f"{NAME}.Error.Failed"


class Method(Struct, frozen=True):
    """The signatures of what a method takes and gives."""

    takes: str
    gives: str


class Signal(Struct, frozen=True):
    """The names of a signal's arguments, and their signature."""

    arguments: tuple[str, ...]
    signature: str


class Property(Struct, frozen=True):
    """A property's type, and how it says that it changed: ``true``, ``invalidates``, ``const`` or ``false``."""

    type: str
    emits: str


class Interface(Struct, frozen=True):
    """One interface: its members by name, and the text that describes it (comments are part of it)."""

    name: str
    methods: dict[str, Method]
    signals: dict[str, Signal]
    properties: dict[str, Property]
    xml: str


def _signature(member: ElementTree.Element, direction: str) -> str:
    return "".join(arg.get("type", "") for arg in member.iter("arg") if arg.get("direction") == direction)


def _method(member: ElementTree.Element) -> Method:
    return Method(_signature(member, "in"), _signature(member, "out"))


def _signal(member: ElementTree.Element) -> Signal:
    arguments = tuple(arg.get("name", "") for arg in member.iter("arg"))
    return Signal(arguments, "".join(arg.get("type", "") for arg in member.iter("arg")))


def _property(member: ElementTree.Element) -> Property:
    emits = next((note.get("value", "") for note in member.iter("annotation")), "true")
    return Property(member.get("type", ""), emits)


def _members(element: ElementTree.Element, tag: str, read: Callable[[ElementTree.Element], T]) -> dict[str, T]:
    return {member.get("name", ""): read(member) for member in element.iter(tag)}


def _interfaces(xml: str) -> dict[str, Interface]:
    keep_comments = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))  # noqa: S314
    node = ElementTree.fromstring(xml, keep_comments)  # noqa: S314  (only ever our own files)
    return {
        element.get("name", ""): Interface(
            name=element.get("name", ""),
            methods=_members(element, "method", _method),
            signals=_members(element, "signal", _signal),
            properties=_members(element, "property", _property),
            xml=ElementTree.tostring(element, encoding="unicode"),
        )
        for element in node.iter("interface")
    }


def xml_file() -> Path:
    """Where the contract is: beside this module once installed, ``dbus/`` in a source checkout."""
    installed = Path(__file__).with_name("org.ai.Monitor.xml")
    return installed if installed.exists() else Path(__file__).parents[2] / "dbus" / installed.name


STANDARD: Final = _interfaces(STANDARD_XML)
OURS: Final = _interfaces(xml_file().read_text(encoding="utf-8"))
MONITOR: Final = OURS[NAME]
SESSION: Final = OURS[f"{NAME}.Session"]
