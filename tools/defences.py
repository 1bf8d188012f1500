"""The defences, each with what takes it away and the test that must fail then. See ``prove_defences.py``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Defence:
    """``text`` stands once in ``file``; with ``instead`` in its place, ``test`` must fail."""

    what: str
    file: str
    text: str
    instead: str
    test: str


GUARD: Final = "aimond/otlp/guard.py"
GUARDED: Final = "tests/otlp/test_guard.py::"
BROKER: Final = "aimond/process/broker.py"
BROKEN: Final = "tests/process/test_broker.py::"
LIMITS: Final = "tests/faults/test_limits.py::"

DEFENCES: Final = (
    # who may talk
    Defence(
        "token: asked for",
        GUARD,
        "if self.token and not self._is_told(headers):",
        "if False:",
        f"{GUARDED}test_who_does_not_know_the_token_is_told_what_to_set",
    ),
    Defence(
        "token: compared in constant time",
        GUARD,
        "return hmac.compare_digest(said.strip(), self.token)",
        "return said.strip() == self.token",
        f"{GUARDED}test_the_token_is_compared_in_constant_time",
    ),
    Defence(
        "other users: refused",
        GUARD,
        "if self.is_foreign(peer):",
        "if False:",
        f"{GUARDED}test_another_users_connection_is_refused_once_for_all_it_asks",
    ),
    Defence(
        "web pages: no Sec-Fetch-Site",
        "aimond/otlp/origin.py",
        "if origin is not None or site not in _NO_PAGE:",
        "if origin is not None:",
        f"{GUARDED}test_what_a_web_page_fetches_is_refused_by_sec_fetch_site",
    ),
    Defence(
        "web pages: no other Host (DNS rebinding)",
        "aimond/otlp/origin.py",
        "if name not in _LOCAL and name not in also_allowed:",
        "if False:",
        "tests/otlp/test_http.py::test_web_pages_are_refused",
    ),
    Defence(
        "other machines: TLS, or nothing",
        "aimond/otlp/tls.py",
        "if secure is None:",
        "if False:",
        f"{GUARDED}test_without_tls_nothing_but_loopback_is_served",
    ),
    Defence(
        "hooks: SO_PEERCRED",
        "aimond/hooks/receive.py",
        "if uid not in (os.geteuid(), 0):",
        "if False:",
        "tests/hooks/test_receive.py::test_another_user_is_not_heard_even_where_the_socket_lets_him",
    ),
    Defence(
        "hooks: a socket of mode 0600",
        "aimond/hooks/listen.py",
        "path.chmod(0o600)  # in time",
        "path.chmod(0o666)  # in time",
        "tests/hooks/test_listen.py::test_only_its_user_gets_in",
    ),
    Defence(
        "broker: SO_PEERCRED",
        BROKER,
        "and _CREDENTIALS.unpack(credentials)[1] == os.geteuid():",
        "and True:",
        f"{BROKEN}test_another_user_is_not_answered_even_where_the_socket_lets_him",
    ),
    Defence(
        "broker: only of its own user's processes",
        BROKER,
        "return _is_pid(pid) and",
        "return _is_pid(pid) or",
        f"{BROKEN}test_of_another_users_process_it_tells_nothing",
    ),
    Defence(
        "broker: only some variables",
        BROKER,
        "return name in _VARIABLES",
        "return True",
        f"{BROKEN}test_what_is_no_question_has_no_answer[variables-arguments0]",
    ),
    Defence(
        "broker: nobody waits twice for one that hangs",
        "aimond/process/asked.py",
        "self._is_owed = True",
        "pass",
        f"{BROKEN}test_a_broker_that_hangs_costs_one_wait_and_is_well_again_when_it_goes_on",
    ),
    Defence(
        "history: a file of mode 0600",
        "aimond/history/file.py",
        "os.fchmod(descriptor, 0o600)",
        "os.fchmod(descriptor, 0o644)",
        "tests/history/test_store.py::test_nobody_else_may_read_it",
    ),
    # bad input
    Defence(
        "gzip: no more is unpacked than may be",
        "aimond/otlp/unpack.py",
        "if len(unpacked) > limit:",
        "if False:",
        "tests/otlp/test_bad_input.py::test_a_bomb_is_refused_before_it_is_unpacked",
    ),
    Defence(
        "refusals: let go of at once",
        "aimond/otlp/http1.py",
        "                return self._server.service.refusal(request, told)",
        "                refused = told",
        "tests/otlp/test_bad_input.py::test_what_was_refused_is_not_kept",
    ),
    Defence(
        "JSON: nested too deeply",
        "aimond/otlp/jsonform.py",
        "except RecursionError:",
        "except ZeroDivisionError:",
        "tests/otlp/test_bad_input.py::test_ten_thousand_nested_values_are_refused_and_the_next_is_served",
    ),
    Defence(
        "tokens: no number that cannot be",
        "aimond/agents/agent.py",
        "return said if 0 <= said <= MOST_TOKENS else 0",
        "return said",
        "tests/otlp/test_bad_input.py::test_a_number_that_cannot_be_spoils_no_total",
    ),
    Defence(
        "D-Bus: no NUL, no control character",
        "aimond/bus/values.py",
        "if not value.isprintable():",
        "if False:",
        "tests/bus/test_labels.py::test_any_text_is_made_valid",
    ),
    Defence(
        "ids: escaped in object paths",
        "aimond/bus/values.py",
        'escaped = _SPECIAL.sub(lambda found: b"_%02x" % found[0][0], raw).decode() or "_"',
        'escaped = raw.decode(errors="replace") or "_"',
        "tests/bus/test_labels.py::test_any_agent_and_id_make_a_valid_path",
    ),
    Defence(
        "ids: a hash is no other id's label",
        "aimond/bus/values.py",
        'f"_h{hashlib.sha256(raw).hexdigest()[:62]}"',
        "hashlib.sha256(raw).hexdigest()",
        "tests/bus/test_labels.py::test_two_names_are_never_one",
    ),
    Defence(
        "sessions: no more than may be kept",
        "aimond/core/sessions.py",
        "if len(self) >= self.kept:",
        "if False:",
        "tests/core/test_strangers.py::test_parents_that_are_never_seen_are_forgotten_with_their_children",
    ),
    Defence(
        "sessions: gone ones are forgotten",
        "aimond/core/sessions.py",
        "while len(self._attic) > GONE_KEPT - AT_HAND:",
        "while False:",
        "tests/core/test_strangers.py::test_a_hundred_thousand_sessions_in_a_minute_are_bounded_and_counted",
    ),
    Defence(
        "sessions: gone ones are remembered by arrival",
        "aimond/core/sessions.py",
        "self._gone.put((session.agent, session.id), session.last_seen)",
        "self._gone.put((session.agent, session.id), session.ended_at)",
        "tests/core/test_strangers.py::"
        "test_of_the_gone_those_heard_of_last_are_remembered_whenever_they_say_they_ended",
    ),
    Defence(
        "recordings: each field of its kind",
        "aimond/tape.py",
        "if fields.get(key) is not None and not isinstance(fields[key], kind):",
        "if False:",
        "tests/core/test_any_replay.py::test_any_lines",
    ),
    Defence(
        "config.toml: a home that there is not",
        "aimond/sections.py",
        "except RuntimeError:",
        "except ZeroDivisionError:",
        "tests/core/test_any_config.py::test_any_word_for_each_key",
    ),
    Defence(
        "exporters: what is sent again is not counted again",
        "aimond/core/keys.py",
        "if number in self._known:",
        "if False:",
        "tests/core/test_any_events.py::test_what_was_told_twice_counts_once",
    ),
    # privacy
    Defence(
        "privacy: nothing private in the spool",
        "aimond/forward/private.py",
        "        Attributes(pairs).remove(_PRIVATE)",
        "        pass",
        "tests/daemon/test_canaries.py::test_no_canary_leaves_the_monitor",
    ),
    Defence(
        "privacy: the same for bodies of log records",
        "aimond/forward/private.py",
        'if not name or said.removeprefix("claude_code.") != name:',
        "if not name:",
        "tests/daemon/test_canaries.py::test_no_canary_leaves_the_monitor",
    ),
    # what dies, and limits
    Defence(
        "bus: no more is kept for one that is stalled",
        "aimond/bus/connection.py",
        "if self._outbox.unsent > MOST_UNSENT:",
        "if False:",
        "tests/faults/test_bus_dies.py::test_a_stall_under_ten_thousand_changes_is_bounded_and_the_last_state_is_right",
    ),
    Defence(
        "history: a broken file is moved away",
        "aimond/history/shelf.py",
        "if not file.is_broken(error):",
        "if True:",
        "tests/history/test_faults.py::test_a_broken_file_is_moved_away_and_a_new_one_is_begun",
    ),
    Defence(
        "history: rows wait while it is locked",
        "aimond/history/shelf.py",
        "        if not self._with(self._write_pending, False):\n            return False",
        "        self._with(self._write_pending, False)",
        "tests/history/test_faults.py::test_a_file_that_another_program_has_locked_is_written_to_later",
    ),
    Defence(
        "upstream: what it does not take is tried again",
        "aimond/forward/courier.py",
        "if not answer.again:",
        "if True:",
        "tests/forward/test_courier.py::test_an_upstream_that_is_gone_and_comes_back_gets_everything_in_order",
    ),
    Defence(
        "memory: a request that finds none is refused",
        "aimond/otlp/http1.py",
        "            except MemoryError:\n                _LOG.warning",
        "            except ZeroDivisionError:\n                _LOG.warning",
        f"{LIMITS}test_out_of_memory_a_request_fails_and_the_monitor_goes_on",
    ),
    Defence(
        "clock: a jump is noticed",
        "aimond/clock.py",
        "            self._moved((slept - before[0]) // 1000, (set_ - before[1]) // 1000)",
        "            pass",
        "tests/daemon/test_clock.py::test_a_jump_is_told_once",
    ),
    Defence(
        "clock: silence moves along with a jump",
        "aimond/core/jump.py",
        "    session.last_seen += by",
        "    pass",
        "tests/core/test_jumps.py::test_silence_lasts_as_long_as_the_machine_was_awake",
    ),
    Defence(
        "connections: no more than may be open",
        "aimond/otlp/http1.py",
        "if len(self._server.open) >= self._server.max_connections:",
        "if False:",
        f"{LIMITS}test_thousands_of_connections_held_open_are_turned_away_and_cost_little",
    ),
    Defence(
        "connections: a request has a minute",
        "aimond/otlp/http1.py",
        "call_later(self._server.patience, self._end, late)",
        "call_later(86_400, self._end, late)",
        f"{LIMITS}test_a_client_that_sends_byte_by_byte_is_cut_off_in_time",
    ),
    Defence(
        "history: remembered while it is locked",
        "aimond/history/file.py",
        'if db.execute("PRAGMA auto_vacuum").fetchone() != (_INCREMENTAL,):',
        "if True:",
        "tests/history/test_faults.py::test_a_file_that_is_locked_at_the_start_is_remembered_all_the_same",
    ),
    Defence(
        "stopping: in the moment of connecting, too",
        "aimond/desktop/notifier.py",
        "            bus = await dial(MessageBus(self._address()))",
        "            bus = await asyncio.wait_for(dial(MessageBus(self._address())), LAST_RETRY)",
        "tests/desktop/test_restarts.py::test_it_stops_at_whatever_moment_of_connecting_it_is_told_to",
    ),
    Defence(
        "stopping: who comes in that moment is hung up on",
        "aimond/otlp/http.py",
        "        server.closing = True",
        "        pass",
        "tests/otlp/test_closing.py::test_nothing_is_taken_after_it",
    ),
    Defence(
        "stopping: a hook that has come is heard",
        "aimond/hooks/receive.py",
        "await asyncio.wait([self._all_said], timeout=FAREWELL)",
        "pass",
        "tests/hooks/test_receive.py::test_who_has_connected_in_time_is_heard_at_the_end",
    ),
    Defence(
        "stopping: what waits in a pause of forwarding is written",
        "aimond/daemon.py",
        "            running.push_async_callback(self._forward.close)\n",
        "",
        "tests/forward/test_forwarding.py::test_a_stop_before_forwarding_is_begun_again_keeps_what_waits",
    ),
    Defence(
        "stopping: an output that breaks then holds up nothing",
        "aimond/upkeep.py",
        "if (task := asyncio.current_task()) and task.cancelling():",
        "if False:",
        "tests/daemon/test_upkeep.py::test_an_output_that_breaks_when_it_is_to_end_holds_up_no_end",
    ),
    Defence(
        "starting: who still waits is asked for again",
        "aimond/core/tracker.py",
        "        return change.session.state is State.WAITING",
        "        return False",
        "tests/daemon/test_notices.py::test_a_question_that_outlasts_the_monitor_is_asked_by_the_next",
    ),
    Defence(
        "forwarding: what was taken is not sent again for another signal",
        "aimond/forward/courier.py",
        "            self._reader.accept(signal, last)",
        "            pass",
        "tests/forward/test_courier.py::test_what_was_taken_is_not_sent_again_for_the_sake_of_another_signal",
    ),
    Defence(
        "forwarding: a request that no rule can read keeps no others up",
        "aimond/forward/courier.py",
        "        except Exception as error:\n            self._refuse(entry.signal, error)",
        "        except ZeroDivisionError as error:\n            self._refuse(entry.signal, error)",
        "tests/forward/test_courier.py::test_whatever_a_rule_makes_of_a_request_those_behind_it_are_sent",
    ),
)
