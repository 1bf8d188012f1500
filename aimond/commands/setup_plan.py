"""What setup is going to do to the files of one CLI, and doing it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from aimond.agents.settings import CliSettings, Edit, Past, Wanted
from aimond.commands import settings_file, setup_record
from aimond.commands.settings_file import SettingsFile
from aimond.commands.setup_record import Record

# What is left of a file that held nothing but what setup had put there.
EMPTY: Final = ("", "{}")


@dataclass(frozen=True, slots=True)
class Change:
    """A file and its new content, None to remove it; the record to keep of that, None for none."""

    file: SettingsFile
    content: bytes | None
    record: Record | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Files to change, records that are of no more use, and what to say."""

    changes: tuple[Change, ...]
    edit: Edit
    done_with: tuple[Record, ...] = ()


def add(cli: CliSettings, directory: Path, wanted: Wanted) -> Plan:
    """How to set a CLI up. Raises Refused."""
    files, records = _found(cli, directory)
    wanted = replace(wanted, past=_past(records))
    edit = cli.add(_texts(files), wanted)
    without: Mapping[str, str] = {}
    if any(name in records and records[name].after != files[name].content for name in edit.files):
        without = cli.remove(_texts(files), wanted).files
    changes = []
    for name, text in edit.files.items():
        file, record, content = files[name], records.get(name), text.encode()
        if record is None:
            record = Record(file.real, file.content, content)
        elif record.after != file.content:  # with the user's later changes, and without ours
            rest = without.get(name, file.text)
            is_user = rest is not None and (record.before is not None or rest.strip() not in EMPTY)
            record = replace(record, before=rest.encode() if is_user and rest is not None else None)
        changes.append(Change(file, content, replace(record, after=content)))
    return _checked(cli, Plan(tuple(changes), edit))


def remove(cli: CliSettings, directory: Path, wanted: Wanted) -> Plan:
    """How to take that back: byte for byte where nothing else has changed. Raises Refused."""
    files, records = _found(cli, directory)
    as_left = {name for name, record in records.items() if record.after == files[name].content}
    edited = {name for name, file in files.items() if file.content is not None} - as_left
    edit = cli.remove(_texts(files), replace(wanted, past=_past(records))) if edited else Edit({})
    contents = {name: records[name].before for name in as_left}
    for name in edited & set(edit.files):
        text, record = edit.files[name], records.get(name)
        was_made = record is not None and record.before is None and text.strip() in EMPTY
        contents[name] = None if was_made else text.encode()
    changes = [Change(files[name], contents[name], None) for name in files if name in contents]
    return _checked(cli, Plan(tuple(changes), edit, tuple(records.values())))


def carry_out(plan: Plan) -> None:
    """Change the files, and keep or forget the records. Raises Refused."""
    for change in plan.changes:
        old = setup_record.load(change.file.real)
        try:
            if change.record:
                setup_record.save(change.record)
            made = settings_file.write(change.file, change.content)
        except BaseException:
            if change.record and old:
                setup_record.save(old)
            elif change.record:
                setup_record.forget(change.record.real)
            raise
        if change.record and made:
            setup_record.save(replace(change.record, made=tuple(made)))
    for record in plan.done_with:
        for directory in record.made:
            with suppress(OSError):
                directory.rmdir()
        setup_record.forget(record.real)


def _checked(cli: CliSettings, plan: Plan) -> Plan:
    for change in plan.changes:
        settings_file.check(change.file, cli.nix)
    return plan


def _found(cli: CliSettings, directory: Path) -> tuple[dict[str, SettingsFile], dict[str, Record]]:
    files = {name: settings_file.read(directory / name) for name in cli.files}
    records = {name: setup_record.load(file.real) for name, file in files.items()}
    return files, {name: record for name, record in records.items() if record}


def _texts(files: Mapping[str, SettingsFile]) -> dict[str, str]:
    return {name: file.text for name, file in files.items() if file.text is not None}


def _past(records: Mapping[str, Record]) -> Past | None:
    if not records:
        return None
    before = {name: record.before.decode() for name, record in records.items() if record.before is not None}
    return Past(before, {name: record.after.decode() for name, record in records.items()})
