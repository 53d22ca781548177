"""The ten mistakes that newcomers make most: each ends in words that say what to do."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

import statefun_nb as sf


@pytest.fixture
def session(functions):
    with sf.start(port=0, functions=functions) as found:
        yield found


def parked(session, typename, value=1):
    """Why a message to a function does not go through."""
    session.send(typename, "bob", value)
    session.wait_idle()
    (found,) = [each for each in session.parked if each.address.typename == typename]
    return found.reason


def test_1_the_port_is_in_use(functions):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.warns(UserWarning, match=f"port {port} is taken: the endpoint listens on port"):
            session = sf.start(port=port, functions=functions)
        assert session.endpoint.port > port


def test_2_there_is_no_java_and_no_network(functions, monkeypatch, tmp_path):
    pytest.importorskip("jgo")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("STATEFUN_NB_CACHE", str(tmp_path))
    monkeypatch.setenv("STATEFUN_NB_OFFLINE", "1")
    with pytest.raises(sf.EngineError, match=r"offline nothing is fetched: .*Java 11 or 17"):
        sf.start("flink", port=0, functions=functions)


def test_3_docker_does_not_run(functions, monkeypatch, tmp_path):
    pytest.importorskip("jgo")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        sf.EngineError, match=r'install Docker .* or use engine="flink", which needs'
    ):
        sf.start("docker", port=0, functions=functions)
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(sf.EngineError, match="does not run: start Docker Desktop, or dockerd"):
        sf.start("docker", port=0, functions=functions)


def test_4_the_function_is_not_declared(session, functions):
    sf.function("example/person", functions=functions)(lambda ctx, message: None)
    with pytest.warns(UserWarning, match=r"until its cell is run; did you mean 'example/person'\?"):
        reason = parked(session, "example/persn")
    assert "run the cell that declares it, or correct the name" in reason
    assert reason.endswith("did you mean 'example/person'?")
    sf.function("example/persn", functions=functions)(lambda ctx, message: None)
    session.wait_idle()
    assert session.parked == []


@pytest.mark.parametrize("typename", ["person", "a/b/c", "/person", "example/"])
def test_5_the_typename_is_none(session, functions, typename):
    with pytest.raises(sf.DeclarationError, match="is not a typename: write 'namespace/name'"):
        session.send(typename, "bob", 1)
    with pytest.raises(sf.DeclarationError, match="is not a typename: write 'namespace/name'"):
        sf.function(typename, functions=functions)(lambda ctx, message: None)


def test_6_the_message_has_no_known_type(session):
    with pytest.raises(
        sf.ConversionTypeError, match=r"message to a/f 'bob': cannot tell.*pass a Type"
    ):
        session.send("a/f", "bob", object())


def test_7_the_state_name_is_misspelt(session, functions):
    @sf.function("a/f", state={"visits": int}, functions=functions)
    def f(ctx, message):
        ctx.storage.vists = 1

    assert parked(session, "a/f").endswith("(declared: visits); did you mean 'visits'?")


def test_8_await_is_forgotten(session, functions):
    async def ask():
        return 1

    @sf.function("a/returns", functions=functions)
    def returns(ctx, message):
        return ask()

    assert "declare it with `async def`" in parked(session, "a/returns")

    @sf.function("a/sends", functions=functions)
    async def sends(ctx, message):
        ctx.send("a/f", "bob", ask())

    assert "did you forget `await`?" in parked(session, "a/sends")

    @sf.function("a/stores", state={"n": int}, functions=functions)
    async def stores(ctx, message):
        ctx.storage.n = ask()

    assert "did you forget `await`?" in parked(session, "a/stores")


def test_9_a_cell_is_run_twice(functions):
    first = sf.start(port=0, functions=functions)
    for _ in range(2):
        assert sf.start(port=0, functions=functions) is first

        @sf.function("a/f", state={"n": int}, functions=functions)
        def f(ctx, message):
            ctx.storage.n = (ctx.storage.n or 0) + 1

        first.send("a/f", "bob", 1)
    first.wait_idle()
    assert first.state("a/f", "bob") == {"n": 2}


def test_10_the_kernel_was_restarted():
    code = "import statefun_nb as sf\nsf.session()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "SessionError: no session is running: call sf.start() first" in done.stderr
