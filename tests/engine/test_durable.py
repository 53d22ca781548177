"""``durable=``: what was confirmed is there after any end of the process, once."""

from __future__ import annotations

import contextlib
import copy
import re
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import statefun_nb as sf
from benchmarks.storms.kills import storm
from statefun_nb.engine.clock import VirtualClock
from statefun_nb.engine.core import OnError
from statefun_nb.engine.durable import DurableCore, Persistence
from statefun_nb.engine.egress_log import EgressLog
from statefun_nb.engine.sqlite_store import SqliteStore
from tests.waiting import eventually

from .invariants import CheckedMoves
from .test_model import World, check, programs, step

SECOND = timedelta(seconds=1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "kept.db"


def emit(ctx, text):
    ctx.send_egress(sf.egress_message_builder("d/out", text, sf.StringType))


def counters(functions):
    @sf.function("d/count", state={"n": int}, functions=functions)
    def count(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + message.value
        emit(ctx, f"{ctx.address.id} {ctx.storage.n}")

    return functions


def start(path, functions, **options):
    return sf.start(port=0, durable=path, functions=functions, **options)


def test_state_and_egress_are_there_at_the_next_start(path, functions):
    counters(functions)
    with start(path, functions) as s:
        s.send_many([("d/count", "a", 1), ("d/count", "a", 2), ("d/count", "ü\0☃", 5)])
        s.wait_idle()
    with start(path, functions) as s:
        assert s.state("d/count") == {"a": {"n": 3}, "ü\0☃": {"n": 5}}
        s.send("d/count", "a", 10)
        s.wait_idle()
        assert s.state("d/count", "a") == {"n": 13}
        assert [r.value for r in s.egress("d/out")] == ["a 1", "a 3", "ü\0☃ 5", "a 13"]


def test_messages_wait_for_a_function_that_is_declared_after_a_restart(path, functions):
    with start(path, functions) as s:
        with pytest.warns(UserWarning, match="no function 'd/count' is declared"):
            s.send_many([("d/count", "a", i) for i in range(5)])
        assert s.wait_idle().parked == 5
    later = sf.StatefulFunctions()
    with start(path, later) as s:
        assert s.wait_idle().parked == 5
        counters(later)
        assert s.wait_idle() == (5, 0, 0, 0)
        assert s.state("d/count", "a") == {"n": 10}


def test_a_parked_message_is_at_the_head_after_a_restart(path, functions):
    @sf.function("d/f", functions=functions)
    def broken(ctx, message):
        if message.value == 1:
            raise ValueError("broken")
        emit(ctx, str(message.value))

    with start(path, functions) as s:
        s.send_many([("d/f", "a", i) for i in range(3)])
        assert s.wait_idle().parked == 2

    @sf.function("d/f", functions=functions)
    def mended(ctx, message):
        emit(ctx, f"mended {message.value}")

    with start(path, functions) as s:
        assert s.wait_idle().processed == 2
        assert [r.value for r in s.egress()] == ["0", "mended 1", "mended 2"]


def test_a_skipped_message_does_not_come_back(path, functions):
    @sf.function("d/f", functions=functions)
    def broken(ctx, message):
        raise ValueError("broken")

    for sent in (3, 0):
        with start(path, functions, on_error="skip") as s:
            s.send_many([("d/f", "a", i) for i in range(sent)])
            assert s.wait_idle().processed == sent


def test_delayed_messages_tokens_and_the_clock_go_on(path, functions):
    @sf.function("d/f", functions=functions)
    def remind(ctx, message):
        if message.value == "set":
            ctx.send_after(60 * SECOND, "d/f", ctx.address.id, "due", token="t")
            ctx.send_after(90 * SECOND, "d/f", ctx.address.id, "second")
        elif message.value == "cancel":
            ctx.cancel_delayed_message("t")
        else:
            emit(ctx, f"{ctx.address.id} {message.value}")

    with start(path, functions, clock="virtual") as s:
        for name in ("a", "b"):
            s.send("d/f", name, "set")
        s.send("d/f", "c", "from outside", delay=70 * SECOND)
        assert s.advance(30 * SECOND).delayed == 5
        now = s.engine.now()
    with start(path, functions, clock="virtual") as s:
        assert s.engine.now() == now
        assert s.advance(29 * SECOND) == (0, 0, 0, 5)
        s.send("d/f", "b", "cancel")
        s.advance(SECOND)
        assert [r.value for r in s.egress()] == ["a due"]
    with start(path, functions, clock="virtual") as s:
        s.advance(30 * SECOND)
        assert [r.value for r in s.egress()] == [
            "a due",
            "c from outside",
            "a second",
            "b second",
        ]


def test_a_message_that_fell_due_meanwhile_is_delivered_at_the_start(path, functions):
    counters(functions)
    with start(path, functions, paused=True) as s:
        s.send("d/count", "a", 1, delay=timedelta(seconds=0.3))
        due = time.time() + 0.3
        assert s.state("d/count", "a") == {}
    eventually(lambda: time.time() > due)
    with start(path, functions) as s:
        s.wait_idle()
        assert s.state("d/count", "a") == {"n": 1}


def test_expirations_go_on(path, functions):
    @sf.function("d/f", functions=functions)
    class Kept(sf.StatefulFunction):
        written = sf.State(int, expire_after_write=60 * SECOND)
        called = sf.State(int, expire_after_call=60 * SECOND)
        forever = sf.State(int)

        def invoke(self, ctx, message):
            if message.value == "set":
                for each in (self.written, self.called, self.forever):
                    each.set(1)

    with start(path, functions, clock="virtual") as s:
        s.send("d/f", "a", "set")
        s.advance(40 * SECOND)
        s.send("d/f", "a", "call")
        s.wait_idle()
    with start(path, functions, clock="virtual") as s:
        s.advance(30 * SECOND)
        assert s.state("d/f", "a") == {"called": 1, "forever": 1}
        s.advance(30 * SECOND)
        assert s.state("d/f", "a") == {"forever": 1}
    with start(path, functions, clock="virtual") as s:
        assert s.state("d/f", "a") == {"forever": 1}
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT name FROM state").fetchall() == [("forever",)]


def test_what_is_written_cleared_and_cancelled_from_outside_stays_so(path, functions):
    counters(functions)
    with start(path, functions, clock="virtual") as s:
        s.send("d/count", "a", 1)
        s.send("d/count", "b", 2)
        s.send("d/count", "a", 1, delay=60 * SECOND)
        s.wait_idle(timers=False)
        a, b = (sf.SdkAddress("d", "count", each, "d/count") for each in "ab")
        s.engine.controls.write(a, {"n": s.engine.state(b)["n"]})
        s.engine.controls.write(b, {"n": None})
        assert s.engine.controls.cancel(s.engine.timers()[0].number)
    with start(path, functions, clock="virtual") as s:
        assert s.state("d/count") == {"a": {"n": 2}}
        assert s.engine.timers() == []


def test_egress_records_and_confirmed_idleness_are_in_the_file_already(path, functions):
    """Another process cannot look while it is open, so a copy of the files is looked at."""
    counters(functions)
    with start(path, functions) as s:
        for i in range(1, 6):
            s.send("d/count", "a", 1)
            s.wait_idle()
            copy = path.parent / f"copy{i}.db"
            for suffix in ("", "-wal"):
                data = Path(f"{path}{suffix}").read_bytes()
                Path(f"{copy}{suffix}").write_bytes(data)
            with sqlite3.connect(copy) as db:
                assert db.execute("SELECT count(*) FROM egress").fetchone() == (i,)
                assert db.execute("SELECT count(*) FROM mail").fetchone() == (0,)
            db.close()


def test_the_file_keeps_as_many_records_as_are_shown(path, functions, monkeypatch):
    counters(functions)
    monkeypatch.setattr(SqliteStore.__init__, "__defaults__", (3,))
    with start(path, functions) as s:
        for _ in range(5):
            s.send("d/count", "a", 1)
            s.wait_idle()
    with start(path, functions) as s:
        assert [r.value for r in s.egress("d/out")] == ["a 3", "a 4", "a 5"]


def test_the_same_path_is_the_same_session_and_another_one_a_new_one(path, functions, monkeypatch):
    counters(functions)
    s = start(path, functions)
    monkeypatch.chdir(path.parent)
    assert start(path.name, functions) is s
    s.send("d/count", "a", 1)
    with pytest.warns(UserWarning, match=re.escape(f"its state is kept in {path}")):
        other = start(path.parent / "other.db", functions)
    assert other.state("d/count") == {}
    assert "kept in    other.db" in repr(other)


# Errors.


def test_a_file_in_use_is_refused(path, functions):
    with start(path, functions):
        code = f"import statefun_nb as sf; sf.start(port=0, durable={str(path)!r})"
        done = subprocess.run(
            [sys.executable, "-c", code], check=False, capture_output=True, text=True
        )
        assert done.returncode == 1
        assert "is in use by another session: call sf.stop() there" in done.stderr
    with start(path, functions):
        pass


def test_a_file_of_something_else_is_refused_and_left_as_it_is(path, functions):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs (a)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(sf.EngineError, match="is a database of something else"):
        start(path, functions)
    assert path.read_bytes() == before
    path.write_text("no database" * 1000)
    with pytest.raises(sf.EngineError, match="cannot be used: file is not a database"):
        start(path, functions)
    assert path.read_text() == "no database" * 1000


def test_a_folder_that_is_not_there_a_folder_and_no_path(path, functions):
    with pytest.raises(sf.EngineError, match="cannot be opened: No such file or directory"):
        start(path / "deeper", functions)
    with pytest.raises(sf.EngineError, match="cannot be opened: Is a directory"):
        start(path.parent, functions)
    with pytest.raises(sf.SessionError, match="durable=5 is not the path of a file"):
        start(5, functions)
    with pytest.raises(sf.SessionError, match="has no durable="):
        start(path, functions, engine="flink")


def test_another_clock_and_another_format_are_refused(path, functions):
    start(path, functions).stop()
    with pytest.raises(
        sf.EngineError, match="are those of clock='system': start with clock='system'"
    ):
        start(path, functions, clock="virtual")
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 4")
    db.close()
    with pytest.raises(
        sf.EngineError, match="was written in format 4, and this statefun_nb reads format 3"
    ):
        start(path, functions)


def test_a_file_that_somebody_has_written_to_is_refused(path, functions):
    counters(functions)
    with start(path, functions) as s:
        s.send("d/count", "a", 1)
        s.wait_idle()
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE state SET name = 'other'")
    for _ in range(2):  # and given back
        with pytest.raises(
            sf.EngineError, match=r"kept\.db' cannot be used: a row of state is not as"
        ):
            start(path, functions)


def test_only_the_user_can_read_the_file(path, functions):
    counters(functions)
    with start(path, functions) as s:
        s.send("d/count", "a", 1)
        for each in path.parent.iterdir():
            assert stat.S_IMODE(each.stat().st_mode) == 0o600


def test_a_full_disk_stops_everything_and_loses_nothing(path):
    """A limit on the size of files stands for the disk's; it is of a process, which is another."""
    code = f"""
import resource, signal
import statefun_nb as sf

@sf.function("d/count", state={{"n": int}})
def count(ctx, message):
    ctx.storage.n = (ctx.storage.n or 0) + 1

s = sf.start(port=0, durable={str(path)!r})
s.send("d/count", "a", "x")
s.wait_idle()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
sent = 0
try:
    while True:
        s.send("d/count", "a", "x" * 10_000)
        sent += 1
except sf.EngineError as error:
    print(error)
for call in (lambda: s.send("d/count", "a", "x"), s.wait_idle, s.step):
    try:
        call()
        print("it went on")
    except sf.EngineError as error:
        pass
print(s.engine.health() != "", sent > 5)
sf.stop()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
s = sf.start(port=0, durable={str(path)!r})
s.wait_idle()
print(s.state("d/count", "a")["n"] == sent + 1)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=120
    )
    lines = done.stdout.splitlines()
    assert re.match(r".*kept\.db cannot be written: .*\(is the disk full\?\)", lines[0]), done
    assert lines[1:] == ["True True", "True"]


# The end of the process at any time.


def test_kill_9_at_any_time_loses_nothing_and_doubles_nothing():
    """Order, counts, timers and egress; ``python -m benchmarks.storms.kills`` does it 40 times."""
    counted = storm(6, seed=3)
    assert counted["served"] >= counted["confirmed"] > 0


# The core and its file against the model of test_model.py, with an end at any step.


class CheckedDurableCore(CheckedMoves, DurableCore):
    pass


class DurableWorld(World):
    """A world that may end and is read back from its file: what was not committed never was."""

    def __init__(self, programs, limit, path):
        super().__init__(programs, limit)
        self.path = path
        self.before = 0  # messages that were processed by cores that are gone
        self.open()
        self.commit()

    def open(self):
        self.core = CheckedDurableCore(self.limit, OnError.PARK)
        self.log = EgressLog()
        self.persistence = Persistence(
            self.core, VirtualClock(0), self.log, SqliteStore(str(self.path), "virtual")
        )
        self.flying = []

    def commit(self):
        self.persistence.commit()
        self.emitted = [*self.log.records()]
        self.kept = copy.deepcopy(
            (self.sent, self.served, self.expected_emits, self.dues, self.processed)
        )

    def end(self):
        self.persistence.close()
        self.sent, self.served, self.expected_emits, self.dues, self.before = self.kept
        self.open()
        self.commit()

    def finish(self):
        super().finish()
        self.commit()
        self.end()

    @property
    def processed(self):
        return self.before + self.core.processed


durable_step = st.one_of(step, st.tuples(st.just("commit")), st.tuples(st.just("end")))


@settings(max_examples=150, deadline=None)
@given(programs, st.integers(0, 3), st.lists(durable_step, max_size=40))
def test_whatever_happens_and_whenever_it_ends_what_was_committed_holds(programs, limit, steps):
    with tempfile.TemporaryDirectory() as folder:
        world = DurableWorld(programs, limit, Path(folder) / "kept.db")
        check(world, steps)
        world.persistence.close()


def overflows(*_):
    raise OverflowError("too large")


def test_an_error_of_any_kind_in_a_commit_stops_all_and_loses_nothing(
    functions, tmp_path, monkeypatch
):
    path = tmp_path / "kept.db"

    @sf.function("d/count", state={"n": int}, functions=functions)
    def count(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1

    with sf.start(port=0, functions=functions, durable=path) as session:
        session.send("d/count", "a", 1)
        session.wait_idle()
        with monkeypatch.context() as patched:
            patched.setattr(SqliteStore, "save", overflows)
            with pytest.raises(sf.EngineError, match="cannot be kept: OverflowError: too large"):
                session.send("d/count", "a", 2)
        with pytest.raises(sf.EngineError, match="cannot be kept"):
            session.send("d/count", "a", 3)  # also when it would work again
        assert "cannot be kept" in session.engine.health()
    with sf.start(port=0, functions=functions, durable=path) as session:
        session.wait_idle()
        assert session.state("d/count", "a") == {"n": 1}  # the second was never confirmed


def test_a_call_that_failed_keeps_state_alive_over_a_restart(path, functions):
    """``expire_after_call`` counts from the last request, and how that ended is another matter."""

    @sf.function(
        "d/f", state={"n": sf.State(int, expire_after_call=60 * SECOND)}, functions=functions
    )
    def f(ctx, message):
        if message.value == "bad":
            raise ValueError("as asked")
        ctx.storage.n = 1

    with start(path, functions, clock="virtual") as s:
        s.send("d/f", "a", "set")
        s.advance(40 * SECOND)
        s.send("d/f", "a", "bad")
        s.wait_idle()
        s.advance(40 * SECOND)
        assert s.state("d/f", "a") == {"n": 1}
    with start(path, functions, clock="virtual") as s:
        assert s.state("d/f", "a") == {"n": 1}
