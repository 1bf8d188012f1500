"""A panel as GNOME's libraries write it: Gio.DBusObjectManagerClient; it prints a line for everything it is told.

Run by the tests with the system's Python, which has PyGObject.
"""

import json
import sys

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

SESSION = "org.ai.Monitor.Session"


def say(*words):
    print(json.dumps(words), flush=True)


def added(manager, proxy):
    session = proxy.get_interface(SESSION)
    say("added", proxy.get_object_path(), session.get_cached_property("State").unpack())


def removed(manager, proxy):
    say("removed", proxy.get_object_path())


def changed(manager, proxy, interface, values, invalidated):
    say("changed", proxy.get_object_path(), interface.get_cached_property("State").unpack(), sorted(values.unpack()))


def monitor_changed(proxy, values, invalidated):
    say("monitor", values.unpack(), list(invalidated))


bus = Gio.bus_get_sync(Gio.BusType.SESSION)
monitor = Gio.DBusProxy.new_sync(bus, 0, None, "org.ai.Monitor", "/org/ai/Monitor", "org.ai.Monitor", None)
manager = Gio.DBusObjectManagerClient.new_sync(
    bus, Gio.DBusObjectManagerClientFlags.DO_NOT_AUTO_START, "org.ai.Monitor", "/org/ai/Monitor", None, None, None
)
manager.connect("object-added", added)
manager.connect("object-removed", removed)
manager.connect("interface-proxy-properties-changed", changed)
monitor.connect("g-properties-changed", monitor_changed)
say("ready", sorted(proxy.get_object_path() for proxy in manager.get_objects()))
say("state", monitor.get_cached_property("State").unpack())
loop = GLib.MainLoop()
GLib.io_add_watch(sys.stdin, GLib.PRIORITY_DEFAULT, GLib.IO_HUP, lambda *_: loop.quit())
loop.run()
