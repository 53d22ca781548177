"""The file of ``durable=``: whose it is, what it must be, what becomes of it meanwhile."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from datetime import timedelta

import pytest

import statefun_nb as sf
from benchmarks.storms.damage import damage
from statefun_nb.engine.sqlite_store import SqliteStore
from statefun_nb.protocol.effects import TypedValue
from tests.waiting import eventually

resource = pytest.importorskip("resource")  # none on Windows
pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes and pipes of POSIX")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "kept.db"


@pytest.fixture
def start(functions):
    @sf.function("d/count", state={"n": int}, functions=functions)
    def count(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1

    return lambda path: sf.start(port=0, functions=functions, durable=path)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_the_users_alone_with_all_that_is_beside_it(start, path):
    before = os.umask(0)
    try:
        with start(path) as session:
            session.send("d/count", "a", 1)
            session.wait_idle()
            assert {mode(each) for each in path.parent.iterdir()} == {0o600}
    finally:
        os.umask(before)


def test_a_file_that_others_may_read_is_mended(start, path):
    start(path).stop()
    path.chmod(0o644)
    with start(path):
        assert mode(path) == 0o600


@pytest.mark.parametrize("beside", ["", "-wal"])
def test_a_file_that_others_may_write_is_refused_and_left_as_it_is(start, path, beside):
    start(path).stop()
    other = path.with_name(path.name + beside)
    other.touch()
    other.chmod(0o620)
    content = path.read_bytes()
    with pytest.raises(sf.EngineError, match=r"can be written by others.*chmod 600 .*kept\.db"):
        start(path)
    assert (path.read_bytes(), mode(other)) == (content, 0o620)


def test_what_is_no_file_is_refused(start, path):
    os.mkfifo(path)
    with pytest.raises(sf.EngineError, match="cannot be opened: it is no file"):
        start(path)
    with pytest.raises(sf.EngineError, match="cannot be opened: Is a directory"):
        start(path.parent)
    with pytest.raises(sf.EngineError, match="names no file, and would keep nothing"):
        start(":memory:")


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_file_that_goes_away_is_noticed_before_anything_is_confirmed(start, path, how):
    with start(path) as session:
        session.send("d/count", "a", 1)
        session.wait_idle()
        path.unlink()
        if how == "replaced":
            path.touch()
        with pytest.raises(sf.EngineError, match=r"kept\.db was deleted, moved or replaced"):
            session.send("d/count", "a", 2)
        assert "was deleted, moved or replaced" in session.engine.health()


def test_what_cannot_be_kept_is_neither_paused_nor_resumed(functions, path):
    calls = {
        "pause": lambda session: session.pause(),
        "resume": lambda session: session.resume(),
        "step": lambda session: session.step(),
        "advance": lambda session: session.advance(timedelta(hours=1)),
        "retry": lambda session: session.retry(),
        "send": lambda session: session.send("d/count", "a", 2),
    }
    with sf.start(port=0, functions=functions, durable=path, clock="virtual") as session:
        session.pause()
        session.resume()
        path.unlink()
        for name, call in calls.items():
            with pytest.raises(sf.EngineError, match=r"kept\.db was deleted, moved or replaced"):
                call(session)
            assert not session.engine.paused, name


@pytest.mark.parametrize("noticed", [True, False])
def test_after_its_file_is_gone_a_session_is_broken_and_a_start_makes_a_new_one(
    functions, path, noticed
):
    sf.function("d/f", state={"n": int}, functions=functions)(
        lambda ctx, message: setattr(ctx.storage, "n", message.value)
    )
    first = sf.start(port=0, functions=functions, durable=path)
    first.send("d/f", "a", 1)
    first.wait_idle()
    assert first.status().state == "running"
    path.unlink()
    if noticed:
        with pytest.raises(sf.EngineError, match="deleted, moved or replaced"):
            first.send("d/f", "a", 2)
    assert first.status().state == "broken"
    assert "was deleted, moved or replaced" in first.status().health
    with pytest.raises(sf.SessionError, match="no session is running"):
        sf.session()
    first.stop()
    with pytest.raises(
        sf.EngineError, match=r"not there, but .*kept\.db-wal and .*-last are, of a"
    ):
        sf.start(port=0, functions=functions, durable=path)
    for left in ("kept.db-wal", "kept.db-last"):
        path.with_name(left).unlink()
    second = sf.start(port=0, functions=functions, durable=path)
    assert second is not first
    second.send("d/f", "b", 3)
    second.wait_idle()
    assert second.state("d/f") == {"b": {"n": 3}}
    assert first.status().state == "stopped"


def test_a_backup_is_all_that_was_done_till_then(start, path, tmp_path):
    copy = tmp_path / "copy.db"
    with start(path) as session:
        session.send_many([("d/count", f"u{n % 10}", n) for n in range(1_000)], progress=False)
        session.wait_idle()
        session.pause()
        session.send("d/count", "waits", 1)
        session.backup(copy)
        session.resume()
        session.send("d/count", "later", 1)
        session.wait_idle()
        with pytest.raises(sf.EngineError, match=r"copy\.db: File exists"):
            session.backup(copy)
    assert mode(copy) == 0o600
    with start(copy) as session:
        session.wait_idle()
        counted = session.state("d/count")
        assert {id_: each["n"] for id_, each in counted.items()} == {
            **{f"u{n}": 100 for n in range(10)},
            "waits": 1,
        }


def test_a_backup_of_what_keeps_nothing(functions, tmp_path):
    with (
        sf.start(port=0, functions=functions) as session,
        pytest.raises(sf.EngineError, match=r"keeps nothing: sf\.start\(durable"),
    ):
        session.backup(tmp_path / "copy.db")


# Apart from what is beside it.


def test_a_file_without_its_log_is_never_taken_for_an_older_one(start, killed, tmp_path):
    """As a copy by hand, or a move, while it is open or after a kill."""
    alone = tmp_path / "alone.db"
    shutil.copyfile(killed, alone)
    for _ in range(2):
        with pytest.raises(
            sf.EngineError, match=r"lacks what was written last: .*alone\.db-wal, which is not"
        ):
            start(alone)
    shutil.copyfile(killed.with_name("kept.db-wal"), tmp_path / "alone.db-wal")
    for _ in range(2):  # it may be an older one, or cut short
        with pytest.raises(
            sf.EngineError,
            match=r"alone\.db-last is not beside it, .*put \S+alone\.db, \S+-wal and",
        ):
            start(alone)
    shutil.copyfile(killed.with_name("kept.db-last"), tmp_path / "alone.db-last")
    with start(alone) as session:
        assert counted(session) == {"n": 3}


@pytest.mark.parametrize("size", [0, 32, 32 + 24 + 4096])
def test_a_log_that_was_cut_is_noticed_also_where_the_last_commit_is_unknown(start, killed, size):
    log = killed.with_name("kept.db-wal")
    log.write_bytes(log.read_bytes()[:size])
    killed.with_name("kept.db-last").unlink()
    for _ in range(2):
        with pytest.raises(sf.EngineError, match=r"lacks what was|-last is not beside it"):
            start(killed)


def test_what_there_is_of_a_file_can_be_taken_when_the_last_commit_is_unknown(start, killed):
    killed.with_name("kept.db-last").write_bytes(b"")
    with start(killed) as session:
        assert counted(session) == {"n": 3}


def test_a_file_on_the_name_of_another_killed_one_is_refused_and_can_be_moved_back(
    start, killed, tmp_path
):
    """What the other one has left beside it is not of it."""
    other = tmp_path / "other"
    shutil.copytree(killed.parent, other)
    with start(other / "kept.db") as session:  # the same file once, and another now
        for n in range(4):
            session.send("d/count", "a", n)
        assert counted(session) == {"n": 7}
        shutil.copytree(other, tmp_path / "third")
    third = tmp_path / "third" / "kept.db"
    third.replace(killed)
    content = {each: each.read_bytes() for each in killed.parent.iterdir()}
    for _ in range(2):
        with pytest.raises(sf.EngineError, match=r"kept\.db-wal are not of the same session: put"):
            start(killed)
    assert {each: each.read_bytes() for each in killed.parent.iterdir()} == content
    killed.replace(third)
    with start(third) as session:
        assert counted(session) == {"n": 7}


@pytest.mark.parametrize("of", ["another file", "an earlier time"])
def test_a_log_of_another_time_is_refused_without_being_taken_in(start, killed, tmp_path, of):
    foreign = killed.with_name("kept.db-wal").read_bytes()
    path = killed if of == "an earlier time" else tmp_path / "b.db"
    folder = tmp_path / "again"
    with start(path) as session:
        session.send("d/count", "a", 1)
        session.wait_idle()
        shutil.copytree(path.parent, folder, ignore=lambda *_: ["killed", "again"])
    path = folder / path.name
    path.with_name(path.name + "-wal").write_bytes(foreign)
    content = path.read_bytes()
    with pytest.raises(sf.EngineError, match="are not of the same session"):
        start(path)
    assert path.read_bytes() == content


def test_a_file_that_was_opened_again_and_killed_lacks_its_log_too(start, killed, tmp_path):
    start(killed).stop()
    with start(killed) as session:
        session.send("d/count", "a", 1)
        assert counted(session) == {"n": 4}
        alone = tmp_path / "alone.db"
        shutil.copyfile(killed, alone)
    with pytest.raises(sf.EngineError, match="lacks what was written last"):
        start(alone)
    shutil.copyfile(killed, alone)  # it has ended meanwhile
    with start(alone) as session:
        assert counted(session) == {"n": 4}


def test_a_file_that_was_open_and_had_no_message_is_opened_again(start, path, tmp_path):
    folder = tmp_path / "killed"
    with start(path):
        shutil.copytree(path.parent, folder, ignore=lambda *_: ["killed"])
    with start(folder / path.name) as session:
        assert counted(session) == {}


def test_what_the_format_before_left_without_its_log_is_no_new_file(start, path):
    path.touch(0o600)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")  # a file of one page
    assert path.stat().st_size > 0
    with pytest.raises(sf.EngineError, match="lacks what was written last"):
        start(path)


@pytest.mark.parametrize("left", ["-wal", "-last"])
def test_a_new_file_does_not_begin_beside_what_another_one_left(start, killed, left):
    kept = killed.with_name(f"kept.db{left}").read_bytes()
    for each in list(killed.parent.iterdir()):
        each.unlink()
    killed.with_name(f"kept.db{left}").write_bytes(kept)
    with pytest.raises(
        sf.EngineError, match=rf"kept\.db' is not there, but \S+{left} is, .* or delete it to begin"
    ):
        start(killed)
    assert [each.name for each in killed.parent.iterdir()] == [f"kept.db{left}"]


def test_a_backup_beside_the_log_of_a_killed_file_is_refused_until_that_is_deleted(
    start, path, killed
):
    backup = killed.with_name("backup.db")
    with start(path) as session:
        session.backup(backup)
    shutil.copyfile(backup, killed)
    with pytest.raises(
        sf.EngineError,
        match=r"is whole, and \S+-wal beside it is of another file: .*delete \S+-wal",
    ):
        start(killed)
    killed.with_name("kept.db-wal").unlink()
    with start(killed) as session:
        assert counted(session) == {"n": 3}


def test_a_file_that_is_moved_back_has_all_that_was_confirmed(start, path, tmp_path):
    with start(path) as session:
        session.send("d/count", "a", 1)
        session.wait_idle()
        path.rename(tmp_path / "away.db")
        with pytest.raises(sf.EngineError, match=r"sf\.stop\(\); then move it back, or delete"):
            session.send("d/count", "a", 2)
    with pytest.raises(sf.EngineError, match="is not there, but"):
        start(path)
    with pytest.raises(sf.EngineError, match="lacks what was written last"):
        start(tmp_path / "away.db")
    (tmp_path / "away.db").rename(path)
    with start(path) as session:
        assert counted(session) == {"n": 1}


def refill(session, path):
    """Have SQLite take its log in, several times."""
    before = path.stat().st_mtime_ns
    for n in range(10):
        session.send_many([("d/count", f"u{n}", "x" * 4_000)] * 200, progress=False)
    session.wait_idle()
    assert path.stat().st_mtime_ns > before


def test_a_file_whose_time_alone_is_changed_is_as_it_was(start, path):
    with start(path) as session:
        for n in range(1, 4):
            session.send("d/count", "a", n)
            os.utime(path, (n, n))
            assert counted(session) == {"n": n}
        refill(session, path)
        os.utime(path, (5, 5))
        session.send("d/count", "a", 4)
    with start(path) as session:
        assert counted(session) == {"n": 4}


def test_an_older_state_of_the_same_size_is_noticed(start, path):
    with start(path) as session:
        refill(session, path)
        older = path.read_bytes()
        refill(session, path)
        assert path.stat().st_size == len(older)
        with path.open("r+b") as file:
            file.write(older)
        with pytest.raises(sf.EngineError, match="overwritten while it was open"):
            session.set_state("d/count", "a", n=7)


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_log_that_goes_away_stops_the_session_and_a_stop_saves_what_was_in_it(start, path, how):
    log = path.with_name("kept.db-wal")
    with start(path) as session:
        session.send("d/count", "a", 1)
        session.wait_idle()
        log.unlink()
        if how == "replaced":
            log.touch(0o600)
        with pytest.raises(sf.EngineError, match=r"kept\.db-wal was deleted, moved or replaced"):
            session.send("d/count", "a", 2)
        assert session.status().state == "broken"
        with pytest.raises(sf.EngineError, match="another session of this very kernel"):
            SqliteStore(str(path), "system")  # it still has the file
    assert [each.name for each in path.parent.iterdir()] == ["kept.db"]
    with start(path) as session:
        assert counted(session) == {"n": 1}


ONE = TypedValue("io.statefun.types/int", b"\x0d\x01\0\0\0")
BY_HAND = {
    "set_state": lambda s: s.set_state("d/f", "a", n=77),
    "send": lambda s: s.send("d/f", "a", 1),
    "send_many": lambda s: s.send_many([("d/f", "a", 1)], progress=False),
    "advance": lambda s: s.advance(timedelta(hours=2)),
    "step": lambda s: s.step(),
    "retry": lambda s: s.retry(),
    "discard": lambda s: s.discard("d/f", "parked"),
    "amend": lambda s: s.engine.controls.amend(s.parked[0].address, ONE),
    "resend": lambda s: s.resend(1),
    "cancel": lambda s: s.engine.controls.cancel(s.engine.timers()[0].number),
}


@pytest.fixture
def busy(functions, path):
    """A session with all that can be done something to by hand."""

    @sf.function("d/f", state={"n": int}, functions=functions)
    def f(ctx, message):
        if message.value == 0:
            raise ValueError("no")
        ctx.storage.n = (ctx.storage.n or 0) + message.value

    def begin():
        return sf.start(port=0, functions=functions, durable=path, clock="virtual")

    with begin() as session:
        session.send("d/f", "a", 1)
        session.send("d/f", "parked", 0)
        session.send("d/f", "later", 1, delay=timedelta(hours=1))
        session.wait_idle(timers=False)
        session.pause()
        session.send("d/f", "waits", 1)
        yield session, begin


@pytest.mark.parametrize("noticed", [True, False])
@pytest.mark.parametrize("name", BY_HAND)
def test_nothing_is_done_by_hand_that_is_not_kept(busy, path, name, noticed):
    session, begin = busy
    away = path.with_name("away.db")
    path.rename(away)
    if noticed:
        with pytest.raises(sf.EngineError, match="deleted, moved or replaced"):
            session.send("d/f", "b", 1)
    before = session.engine.now()
    with pytest.raises(sf.EngineError, match="deleted, moved or replaced"):
        BY_HAND[name](session)
    assert session.engine.now() == before
    with pytest.raises(sf.EngineError, match="deleted, moved or replaced"):
        session.state("d/f", "a")
    session.stop()
    away.rename(path)
    with begin() as session:
        session.wait_idle(timers=False)
        assert session.state("d/f") == {"a": {"n": 1}, "waits": {"n": 1}}
        assert [each.address.id for each in session.parked] == ["parked"]


@contextlib.contextmanager
def full(size):
    """No file may grow beyond that many bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_on_a_full_disk_nothing_is_confirmed_or_lost(start, path, tmp_path):
    copy, new = tmp_path / "copy.db", tmp_path / "new" / "new.db"
    new.parent.mkdir()
    with start(path) as session:
        session.send("d/count", "a", 1)
        session.wait_idle()
        with full(100):
            with pytest.raises(sf.EngineError, match=r"cannot make a backup at \S+copy\.db: disk"):
                session.backup(copy)
            with pytest.raises(sf.EngineError, match=r"cannot be written: .*is the disk full\?"):
                session.set_state("d/count", "a", n=77)
            with pytest.raises(sf.EngineError, match="cannot be written"):
                session.state("d/count", "a")
            session.stop()
    assert not copy.exists()
    for each in (path, new):
        with full(100), pytest.raises(sf.EngineError, match=r"cannot be read or written: .*full\?"):
            start(each)
    assert not list(new.parent.iterdir())
    start(new).stop()
    with start(path) as session:
        assert counted(session) == {"n": 1}


def test_a_link_leads_to_the_file_and_to_what_is_beside_it(start, killed, tmp_path):
    link = tmp_path / "link.db"
    link.symlink_to(killed)
    with start(link) as session:
        assert counted(session) == {"n": 3}
        session.send("d/count", "a", 1)
        assert killed.with_name("kept.db-wal").exists()
        with pytest.raises(sf.EngineError, match="another session of this very kernel"):
            SqliteStore(str(killed), "system")
    with start(killed) as session:
        assert counted(session) == {"n": 4}
    killed.unlink()
    with pytest.raises(sf.EngineError, match=r"link\.db' is a link to \S+kept\.db, which is not"):
        start(link)


OPENS = """
import sys, time
from statefun_nb.engine.sqlite_store import SqliteStore
sys.stdin.readline()
store = SqliteStore(sys.argv[1], "system")
print("opened", flush=True)
sys.stdin.readline()
"""


def opening(path):
    return subprocess.Popen(
        [sys.executable, "-c", OPENS, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_of_two_processes_that_begin_a_file_one_has_it(tmp_path):
    for n in range(5):
        both = [opening(tmp_path / f"{n}.db") for _ in range(2)]
        for each in both:
            each.stdin.write("\n")
            each.stdin.flush()
        said = sorted(each.stdout.readline() for each in both)
        outcomes = [each.communicate("\n") for each in both]
        assert said == ["", "opened\n"], outcomes
        assert ["is in use by another session" in err for _, err in outcomes].count(True) == 1


def test_a_kill_in_the_first_opening_leaves_none_or_a_new_file(start, tmp_path):
    for n in range(12):
        path = tmp_path / f"{n}.db"
        process = opening(path)
        process.stdin.write("\n")
        process.stdin.flush()
        eventually(lambda: any(tmp_path.glob(".durable-*")) or path.exists())  # noqa: B023
        process.kill()
        process.communicate()
        with start(path) as session:
            session.send("d/count", "a", 1)
            assert counted(session) == {"n": 1}
        for each in tmp_path.glob(".durable-*"):
            each.unlink()


@pytest.mark.parametrize("by", ["a backup", "an older state of it", "nothing"])
def test_a_file_that_is_overwritten_in_place_is_noticed_before_a_confirmation(
    start, path, tmp_path, by
):
    other = tmp_path / "other.db"
    with start(path) as session:
        session.send("d/count", "a", 1)
        session.wait_idle()
        if by == "a backup":
            session.backup(other)
        else:
            shutil.copyfile(path, other)
        if by == "an older state of it":
            refill(session, path)
        if by == "nothing":
            path.write_bytes(b"")
        else:
            path.write_bytes(other.read_bytes())
        with pytest.raises(
            sf.EngineError, match=r"kept\.db was overwritten while it was open: .*-wal"
        ):
            session.send("d/count", "a", 2)
        assert session.status().state == "broken"
    path.with_name("kept.db-wal").unlink(missing_ok=True)
    if by == "a backup":
        path.write_bytes(other.read_bytes())
        with start(path) as session:
            assert counted(session) == {"n": 1}


def test_a_log_that_is_taken_in_is_no_overwriting(start, path):
    """SQLite writes the file itself, each thousand pages of its log."""
    with start(path) as session:
        before = path.stat().st_size
        for n in range(20):
            each = [("d/count", f"u{n}-{k}", "x" * 4_000) for k in range(200)]
            session.send_many(each, progress=False)
        session.wait_idle()
        assert path.stat().st_size > before
        assert session.status().health == ""
    with start(path) as session:
        session.wait_idle()
        assert len(session.state("d/count")) == 4_000


def test_a_second_session_of_the_process_does_not_end_the_lock_of_the_first(start, path):
    """Locks of POSIX end when the process closes the file, whichever time it was opened."""
    with start(path) as session:
        with pytest.raises(sf.EngineError, match="another session of this very kernel"):
            SqliteStore(str(path), "system")
        code = "import sys, statefun_nb.engine.sqlite_store as s; s.SqliteStore(*sys.argv[1:])"
        other = subprocess.run(
            [sys.executable, "-c", code, str(path), "system"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "is in use by another session" in other.stderr
        session.send("d/count", "a", 1)
        assert counted(session) == {"n": 1}


# Damage.


def test_a_file_damaged_at_random_has_what_was_written_or_is_refused():
    """``python -m benchmarks.storms.damage`` does it with 2,000."""
    counted = damage(300, seed=14)
    assert {came for _, came in counted} == {"right", "refused"}
    refused = {kind.partition(":")[0] for (kind, came) in counted if came == "refused"}
    assert refused == {".db", "-wal"}


@pytest.fixture
def killed(start, path, tmp_path):
    """A folder with the files as a kill leaves them: SQLite's log has not been taken in."""
    with start(path) as session:
        for n in range(3):
            session.send("d/count", "a", n)
            session.wait_idle()
        folder = tmp_path / "killed"
        shutil.copytree(path.parent, folder, ignore=lambda *_: ["killed"])
    assert {each.name for each in folder.iterdir()} >= {"kept.db", "kept.db-wal", "kept.db-last"}
    return folder / path.name


def counted(session):
    session.wait_idle()
    return session.state("d/count", "a")


def test_after_a_kill_all_is_there_and_after_an_end_one_file_alone(start, killed):
    with start(killed) as session:
        assert counted(session) == {"n": 3}
    assert [each.name for each in killed.parent.iterdir()] == ["kept.db"]


@pytest.mark.parametrize("how", ["deleted", "cut"])
def test_a_log_that_lost_what_was_confirmed_is_noticed(start, killed, how):
    log = killed.with_name("kept.db-wal")
    if how == "deleted":
        log.unlink()
    else:
        log.write_bytes(log.read_bytes()[:-5000])
    for _ in range(2):
        with pytest.raises(sf.EngineError, match=r"what was written last is missing, \d trans"):
            start(killed)


def test_a_backup_may_take_the_place_of_a_file_that_was_killed(start, path, killed, tmp_path):
    backup = tmp_path / "backup.db"
    with start(path) as session:
        session.backup(backup)
        session.send("d/count", "a", 1)
        assert counted(session) == {"n": 4}
        last = path.with_name("kept.db-last").read_bytes()
    path.with_name("kept.db-last").write_bytes(last)
    shutil.copyfile(backup, path)
    with start(path) as session:
        assert counted(session) == {"n": 3}


def test_an_empty_file_is_no_new_one(start, path):
    start(path).stop()
    path.write_bytes(b"")
    with pytest.raises(
        sf.EngineError, match=r"kept\.db' is empty: if it was cut off, put a backup"
    ):
        start(path)


def test_what_is_said_of_damage_has_a_way_out(start, path):
    start(path).stop()
    with path.open("r+b") as file:
        file.write(bytes(16))
    with pytest.raises(
        sf.EngineError, match=r"put a backup \(of s\.backup\) in its place, or delete it and begin"
    ):
        start(path)
    path.unlink()
    start(path).stop()


@pytest.mark.parametrize("name", ["a\0b", "\udc80\udcff", "ключ и пробел.db"])
def test_a_name_is_a_file_or_an_error_of_ours(start, tmp_path, name):
    try:
        start(tmp_path / name).stop()
    except sf.StatefunError as error:
        assert "durable=" in str(error)
    else:
        assert [each.name for each in tmp_path.iterdir()] == [name]


BEFORE = """
CREATE TABLE clock (kind TEXT NOT NULL, offset_ms INTEGER NOT NULL);
CREATE TABLE spec (
  typename TEXT NOT NULL, place INTEGER NOT NULL, name TEXT NOT NULL, value_type TEXT NOT NULL,
  mode INTEGER NOT NULL, expire_after_ms INTEGER NOT NULL, PRIMARY KEY (typename, place)
) WITHOUT ROWID;
CREATE TABLE state (
  typename TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL,
  deadline_ms INTEGER NOT NULL, PRIMARY KEY (typename, id, name)
) WITHOUT ROWID;
CREATE TABLE mail (
  number INTEGER PRIMARY KEY, typename TEXT NOT NULL, id TEXT NOT NULL,
  caller_typename TEXT, caller_id TEXT, argument BLOB NOT NULL
);
CREATE TABLE timer (
  number INTEGER PRIMARY KEY, due_ms INTEGER NOT NULL, owner_typename TEXT, owner_id TEXT,
  token TEXT NOT NULL, typename TEXT NOT NULL, id TEXT NOT NULL, argument BLOB NOT NULL
);
CREATE TABLE egress (number INTEGER PRIMARY KEY, egress TEXT NOT NULL, argument BLOB NOT NULL);
"""


def test_a_file_of_the_format_before_is_brought_to_this_one(start, path, tmp_path):
    with start(path) as session:
        session.send("d/count", "a", 1)
        session.wait_idle()
        session.pause()
        session.send("d/count", "a", 2)
        session.send("d/count", "b", 2)
    old = tmp_path / "old.db"
    old.touch(0o600)
    with contextlib.closing(sqlite3.connect(old, isolation_level=None)) as db:
        db.executescript(BEFORE)
        db.execute("ATTACH ? AS new", (str(path),))
        for table in ("spec", "state", "mail", "timer", "egress"):
            kept = [row[1] for row in db.execute(f"PRAGMA main.table_info({table})")]
            db.execute(f"INSERT INTO {table} SELECT {', '.join(kept)} FROM new.{table}")
        db.execute("INSERT INTO clock VALUES ('system', 0)")
        db.execute("PRAGMA application_id = 1397124706")
        db.execute("PRAGMA user_version = 1")
        assert db.execute("SELECT count(*) FROM mail").fetchone() == (2,)
    for n in (2, 3):
        with start(old) as session:
            assert counted(session) == {"n": n}
            assert session.state("d/count", "b") == {"n": 1}
            session.send("d/count", "a", 3)
            session.wait_idle()
