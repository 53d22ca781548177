"""The file of ``durable=``: whose it is, what it must be, what becomes of it meanwhile."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat

import pytest

import statefun_nb as sf
from benchmarks.storms.damage import damage

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
        with pytest.raises(sf.EngineError, match=r"kept\.db was deleted or replaced"):
            session.send("d/count", "a", 2)
        assert "deleted or replaced" in session.engine.health()


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
        with pytest.raises(sf.EngineError, match="deleted or replaced"):
            first.send("d/f", "a", 2)
    assert first.status().state == "broken"
    assert "deleted or replaced" in first.status().health
    with pytest.raises(sf.SessionError, match="no session is running"):
        sf.session()
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
