"""Whether and how a turn ended, as its facts and those who claim it tell."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from aimond.core import event as ev
from aimond.core.evidence import LADDER
from aimond.core.turn import MS, SECOND, SLACK, Turn
from aimond.core.usage import Spent, total

# A span that ends a turn began with it: Claude Code's 45 ms before the prompt's record, Codex's up to 130 ms (0.169.0).
CLAIM_BEFORE: Final = 3 * SECOND
CLAIM_AFTER: Final = SECOND


def final_answer(turn: Turn, main_model: str = "", until: int = 2**63) -> ev.ModelCallFinished | None:
    """The answer that everything else came before: the one that ended the turn, unless more follows.

    What came after ``until`` (the turn's end, where that is known) is left out.
    """
    answer = last_word(turn, main_model, until)
    return None if answer is None or asked_for_a_tool(turn, answer) else answer


def last_word(turn: Turn, main_model: str = "", until: int = 2**63) -> ev.ModelCallFinished | None:
    """The answer after which nothing was heard of this turn, be it its last or the one before a question.

    A call during which or after which a tool began was not the last, whatever order the records came in: Claude Code
    logs ``tool_decision`` before the ``api_request`` that asked for the tool.
    """
    answers = [a for a in turn.answers if a.at <= until + SLACK and _is_main(a, main_model)]
    if not answers or turn.open_tools or turn.unnamed_tools > 0:
        return None
    answer = answers[-1]
    # A call whose start nobody told is known by the record that opened it.
    began = answer.started or min(turn.call_started or answer.at, answer.at)
    if turn.tool_started > began + MS or began < max(turn.tool_ended, turn.resumed) - SLACK:
        return None
    failed_since = turn.failure is not None and answer.at < turn.failure.at <= until + SLACK
    return None if failed_since or answer.at < turn.call_started <= until + SLACK else answer


def asked_for_a_tool(turn: Turn, answer: ev.ModelCallFinished) -> bool:
    """That answer, of which log and span may both tell, was no end: it wants a tool, or its user's leave to run one."""
    return any(other.ends is False and other.at >= answer.at - SLACK for other in turn.answers)


def summed_up(turn: Turn) -> Spent:
    """What the turn used, as far as anybody has told: spans overtake the logs that count, by 1 to 45 ms and more."""
    counted = [answer.at for answer in turn.answers if answer.usage]
    ahead = [a for a in turn.answers if a.told and not any(abs(a.at - at) <= SLACK for at in counted)]
    spent = turn.spent + total(Spent(1, answer.told) for answer in ahead if answer.told)
    whole = [claim.told for claim in turn.claims if claim.told and claim.told.total > spent.usage.total]
    return replace(spent, requests=max(spent.requests, 1), usage=whole[-1]) if whole else spent


def _is_main(answer: ev.ModelCallFinished, main_model: str) -> bool:
    return answer.main is True or main_model in ("", answer.model)


def end(turn: Turn) -> ev.TurnFinished | None:
    """The claim that ends this turn: of those not refuted, the highest on the ladder, the first of its kind."""
    valid = [claim for claim in turn.claims if _holds(turn, claim)]
    if not valid:
        return None
    return min(valid, key=lambda claim: (LADDER[claim.source], claim.at, claim.outcome is None))


def _holds(turn: Turn, claim: ev.TurnFinished) -> bool:
    if claim.at < turn.resumed - SLACK or claim.claim in turn.refuted:
        return False
    if claim.started and turn.started:
        begins = (turn.started, turn.resumed)
        if not any(-CLAIM_BEFORE <= claim.started - begin <= CLAIM_AFTER for begin in begins):
            return False
    return not (claim.weak and max(turn.tool_started, turn.call_started, _last_began(turn)) > claim.at + SLACK)


def _last_began(turn: Turn) -> int:
    return turn.answers[-1].started if turn.answers else 0


def outcome(turn: Turn, main_model: str = "") -> ev.Outcome:
    """How the turn ended, given that it did: the highest claim that says, else what the last fact was."""
    claims = sorted((c for c in turn.claims if c.outcome and _holds(turn, c)), key=lambda c: (LADDER[c.source], -c.at))
    if claims and claims[0].outcome:
        return claims[0].outcome
    claim = end(turn)
    if final_answer(turn, main_model, claim.at if claim else 2**63):
        return ev.Outcome.COMPLETED
    if failed(turn):
        return ev.Outcome.FAILED
    return ev.Outcome.INTERRUPTED


def failed(turn: Turn) -> bool:
    """The newest thing known is a failure that nobody cut."""
    failure = turn.failure
    if failure is None or failure.aborted:
        return False
    last_answer = turn.answers[-1].at if turn.answers else 0
    return failure.at >= max(last_answer, turn.tool_ended)


def was_cut(turn: Turn) -> bool:
    """Somebody said that the user cut it."""
    said = any(claim.outcome is ev.Outcome.INTERRUPTED for claim in turn.claims)
    return said or (turn.failure is not None and turn.failure.aborted)
