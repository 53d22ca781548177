"""The file of ``durable=``: whose it is, what it must be, what becomes of it meanwhile."""

from __future__ import annotations

import os
import stat

import pytest

import statefun_nb as sf

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
