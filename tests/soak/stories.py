"""Tapes as stories that can be told again and again: of other sessions each time, and of today."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from aimond import tape as tapes
from aimond.commands.replay import _take as take
from aimond.otlp import protobuf
from aimond.pricing import Prices
from aimond.spine import Spine
from tests.bench.bodies import TAPES, Post, Request, _ids, items, renamed

SECOND = 10**9
PATHS = tuple(sorted(TAPES.rglob("*.tape.jsonl.gz")))
Used = tuple[int, int, int]  # calls, input and output tokens
HIDING = frozenset({"codex"})


@dataclass(frozen=True)
class Told:
    """What a story comes to, by its recorded ids: what its sessions used, those that are there at its end, and those
    that ever were. ``shared``: all, if its CLI has threads that nobody opened: these count under whichever of its
    sessions was prompted nearest, be it of another story."""

    used: dict[str, Used]
    shown: frozenset[str]
    seen: frozenset[str]
    shared: frozenset[str]


@dataclass(frozen=True)
class Story:
    requests: tuple[Request, ...]
    truth: Told
    end: int  # ns since the epoch, as recorded

    def anew(self, number: int, now: int) -> Iterator[Post]:
        """The requests as others would send them that end at ``now`` (ns)."""
        for request in self.requests:
            gzipped = request.post.body.startswith(tapes.GZIP)
            body = gzip.decompress(request.post.body) if gzipped else request.post.body
            body = request.ids.sub(lambda found: renamed(found[0], number), body)
            yield replace(request.post, body=request._later(body, now - self.end))


def new_id(recorded: str, number: int) -> str:
    return renamed(recorded.encode(), number).decode()


@cache
def story(path: Path) -> Story | None:
    """None where it has ids that cannot be told apart from other text."""
    tape = tapes.read(path)
    truth = json.loads(path.with_name(path.name.replace(".tape.jsonl.gz", ".truth.json")).read_text())
    if any(len(session["session_id"]) != 36 for session in truth["sessions"]):
        return None
    requests = tuple(_requests(path, tape))
    told = _told(tape)
    if any(len(session) != 36 for session in (*told.used, *told.shown)):
        return None
    return Story(requests, told, tape.at(tape.lines[-1].t) * 1000) if requests else None


def _told(tape: tapes.Tape) -> Told:
    spine = Spine(pricing=Prices({}))
    for line in tape.lines:
        take(spine, tape, line, True)
    tracker = spine.tracker
    tracker.accounts.settle(2**62)
    used: dict[str, Used] = {}
    for session in tracker.sessions.remembered:
        spent = session.spent
        if spent.requests or spent.usage.total:
            owner = tracker.serves(session) or session.id
            before = used.get(owner, (0, 0, 0))
            now = (spent.requests, spent.usage.input, spent.usage.output)
            used[owner] = (before[0] + now[0], before[1] + now[1], before[2] + now[2])
    seen = frozenset(session.id for session in tracker.sessions.remembered if session.seen)
    shared = frozenset(session.id for session in tracker.sessions.remembered if session.agent in HIDING)
    return Told(used, frozenset(session.id for session in tracker.shown()), seen, shared)


def _requests(path: Path, tape: tapes.Tape) -> Iterator[Request]:
    for line in tape.lines:
        batch = tape.batch(line) if line.kind == "otlp" else None
        if batch is None:
            continue
        is_json = batch.encoding == "json"
        inside = items(batch.signal, batch.parsed if is_json else protobuf.whole(batch.signal, tapes.unpacked(line)))
        over_http = line.fields["transport"] == "http"
        kind = line.fields["content_type"] if over_http else "application/x-protobuf"
        at = line.fields["path"] if over_http else f"/v1/{batch.signal}"
        post = Post(path.name, at, kind or "application/x-protobuf", line.body)
        yield Request(path.name, post, batch.signal, len(inside), _ids(inside), frozenset())
