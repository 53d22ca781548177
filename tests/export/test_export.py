"""A notebook becomes a project: written, tested by its own tests, served by the command line."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import statefun_nb as sf
from statefun_nb.protocol.effects import TypedValue
from statefun_nb.protocol.module_reader import read_module
from statefun_nb.protocol.v3 import decode_reply, encode_request
from statefun_nb.protocol.wire import typed_value_bytes
from statefun_nb.testing import recorded

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

CELLS = [
    "%load_ext statefun_nb\nimport statefun_nb as sf\n\ns = sf.start(port=0)",
    "GREETING = 'hello'",
    (
        '@sf.function("x/person", state={"visits": int})\n'
        "def person(ctx, message):\n"
        "    ctx.storage.visits = (ctx.storage.visits or 0) + 1\n"
        '    ctx.send("x/greeter", ctx.address.id, message.value + "?")'
    ),
    (
        '%%statefun_function x/greeter\ntext = f"{GREETING} {message.value}"\n'
        "ctx.send_egress(sf.kafka_egress_message('x/out', 'greetings', text, key=ctx.address.id))"
    ),
    's.send_many([("x/person", "bob", "I am here"), ("x/person", "ann", "hi")])\ns.wait_idle()',
    "# A better greeter.\nGREETING = 'welcome'",
    '%statefun send x/person bob "me again"\n%statefun replay --type x/greeter',
    "s.wait_idle()",
]


def notebook(path, cells):
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(made, path)
    return path


def command(*arguments, cwd, **options):
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=cwd, capture_output=True, text=True, timeout=120, check=False, **options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The project of a notebook that stops its session at its end, as most do."""
    folder = tmp_path_factory.mktemp("exported")
    source = notebook(folder / "greeter.ipynb", [*CELLS, "sf.stop()"])
    done = command("statefun_nb", "export", str(source), str(folder / "project"), cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"exported to {folder / 'project'}; ")
    assert "functions.py" in done.stdout
    assert "Traceback" not in done.stderr
    return folder / "project"


def test_the_files_are_those_of_a_project(exported):
    files = {str(path.relative_to(exported)) for path in exported.rglob("*") if path.is_file()}
    assert files == {
        "functions.py", "module.yaml", "requirements.txt", "pytest.ini", "README.md",
        "tests/recorded.jsonl", "tests/test_recorded.py",
        f"vendor/statefun_nb-{sf.__version__}-py3-none-any.whl",
    }  # fmt: skip
    code = (exported / "functions.py").read_text()
    assert "# A better greeter.\nGREETING = 'welcome'\n" in code
    assert "sf.start" not in code
    requirements = (exported / "requirements.txt").read_text()
    assert requirements == f"--find-links vendor\nstatefun_nb=={sf.__version__}\n"
    documents = {d.kind: d.spec for d in read_module((exported / "module.yaml").read_text())}
    assert documents["io.statefun.endpoints.v2/http"]["functions"] == "x/*"
    assert documents["io.statefun.kafka.v1/egress"]["id"] == "x/out"
    assert documents["io.statefun.kafka.v1/ingress"]["topics"] == [
        {"topic": "x.person", "valueType": "io.statefun.types/string", "targets": ["x/person"]}
    ]


def test_its_tests_say_what_changed_since(exported):
    """The greeter said hello when it was tried, and the name that it uses was changed since."""
    cases = recorded(exported / "tests" / "recorded.jsonl")
    assert len(cases) == 4
    done = command("pytest", "-q", "-p", "no:cacheprovider", cwd=exported)
    assert "4 passed" in done.stdout, done.stdout
    readme = (exported / "README.md").read_text()
    assert "2 invocations of x/greeter: does otherwise when it is run again" in readme
    assert "emitted 'welcome I am here?' (was 'hello I am here?') to x/out" in readme


@contextlib.contextmanager
def served(*arguments, cwd):
    """``statefun-nb serve``: the process, the functions and the URL that it names."""
    environment = {**os.environ, "STATEFUN_NB_TOKEN": ""}
    with subprocess.Popen(
        [sys.executable, "-m", "statefun_nb", "serve", *arguments],
        cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip(), process.stdout.readline().split()[1]
        finally:
            process.kill()


def status_of(url):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url, b"x")
    caught.value.close()
    return caught.value.code


def test_the_command_line_serves_it_until_it_is_ended(exported):
    with served("functions", "--port", "0", "--no-token", cwd=exported) as (process, names, url):
        assert sorted(names.split(", ")) == ["x/greeter", "x/person"]
        address = sf.SdkAddress("x", "greeter", "bob", "x/greeter")
        text = sf.StringType.serializer().serialize("you")
        message = typed_value_bytes(TypedValue("io.statefun.types/string", text))
        request = urllib.request.Request(
            url,
            encode_request(address, {}, [(None, message)]),
            {"Content-Type": "application/octet-stream"},
        )
        with urllib.request.urlopen(request) as answer:
            assert b"welcome you" in decode_reply(answer.read()).egress[0].argument
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
        assert process.stderr.read() == ""


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"])
@pytest.mark.parametrize(("options", "wanted"), [(["--token", "abc"], "/statefun/abc"), ([], "")])
def test_only_who_knows_the_token_is_served(exported, host, options, wanted):
    if sys.platform == "darwin" and host != "127.0.0.1":
        pytest.skip("127.0.0.2 is no address of this machine")
    options = ["--port", "0", "--host", host, *options]
    with served("functions", *options, cwd=exported) as (_, _, url):
        base, _, token = url.partition("/statefun/")
        assert url.endswith(wanted)
        assert len(token) > 2
        assert status_of(f"{base}/statefun") == 404
        assert status_of(f"{base}/statefun/guess") == 404
        assert status_of(f"{base}/health") == 404
        assert status_of(url) == 415  # it is the endpoint that refuses this one


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["1 / 0"], "cell 1: ZeroDivisionError: division by zero"),
        (["x = 1"], "SessionError: no session is running"),
        ([CELLS[0]], "SessionError: there is nothing to export: no function is declared"),
        (
            ["import statefun_nb as sf\ns = sf.start(port=0, functions=sf.StatefulFunctions())"],
            "nothing to export",
        ),
    ],
)
def test_a_notebook_that_cannot_be_exported_says_why(cells, message, tmp_path):
    source = notebook(tmp_path / "n.ipynb", cells)
    done = command("statefun_nb", "export", str(source), "project", cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert not (tmp_path / "project").exists()


def test_data_beside_the_notebook_goes_along_and_chance_makes_no_tests(tmp_path):
    (tmp_path / "data.txt").write_text("from a file")
    source = notebook(
        tmp_path / "n.ipynb",
        [
            "import random, statefun_nb as sf\ns = sf.start(port=0)",
            "DATA = open('data.txt').read()\nRATE = random.random()",
            (
                "@sf.function('x/read', state={'n': str})\ndef f(ctx, message):\n"
                "    ctx.storage.n = DATA"
            ),
            (
                "@sf.function('x/rate', state={'n': float})\ndef g(ctx, message):\n"
                "    ctx.storage.n = RATE"
            ),
            "s.send('x/read', 'a', 1); s.send('x/rate', 'a', 1); s.wait_idle()",
        ],
    )
    done = command("statefun_nb", "export", str(source), "project", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 test passes" in done.stdout
    assert "left out: 1 invocation of x/rate: uses RATE, which is made by chance" in done.stdout
    assert "data.txt is copied" in done.stdout
    assert (tmp_path / "project" / "data.txt").read_text() == "from a file"


def test_what_the_kernels_process_writes_is_not_the_commands(tmp_path):
    """Nor what it says at its end: the project is there by then."""
    library = 'import os, subprocess\n_ = subprocess.run("echo out; echo careful >&2", shell=True)'
    last_words = 'import atexit\natexit.register(os.system, "echo last words >&2")'
    source = notebook(tmp_path / "n.ipynb", [*CELLS, library, last_words])
    done = command("statefun_nb", "export", str(source), "project", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("exported to ")
    assert "careful" not in done.stderr
    assert "last words" not in done.stderr


def test_on_a_terminal_it_shows_how_far_the_notebook_is(tmp_path):
    fcntl, pty, termios = map(pytest.importorskip, ("fcntl", "pty", "termios"))
    cells = ["import time; time.sleep(1.1)", "time.sleep(0.2)", "1 / 0"]
    source = notebook(tmp_path / "n.ipynb", cells)
    terminal, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "statefun_nb", "export", str(source), "project"],
        cwd=tmp_path, stderr=its,
    )  # fmt: skip
    os.close(its)
    shown = b""
    with process, contextlib.suppress(OSError):  # the terminal is gone with the process
        while more := os.read(terminal, 1000):
            shown += more
    os.close(terminal)
    assert b"2/4 [" in shown
    assert b"cell 3: ZeroDivisionError" in shown


def test_a_kernel_that_dies_is_named_with_what_it_said(tmp_path):
    library = 'import os, subprocess\n_ = subprocess.run("echo out of luck >&2", shell=True)'
    source = notebook(tmp_path / "n.ipynb", [library, "x = 1", "os._exit(3)"])
    done = command("statefun_nb", "export", str(source), "project", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"statefun-nb: {source}, cell 3: Kernel died\n")
    assert "out of luck" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "project").exists()


def test_nothing_is_overwritten_unless_that_is_wanted(exported, tmp_path, monkeypatch):
    pytest.importorskip("IPython")
    from IPython.core.interactiveshell import InteractiveShell

    monkeypatch.setattr("statefun_nb.sdk.functions.default_functions._functions", {})
    shell = InteractiveShell.instance()
    try:
        for cell in CELLS:
            shell.run_cell(cell, store_history=True)
        session = shell.user_ns["s"]
        (tmp_path / "README.md").write_text("mine")
        with pytest.raises(sf.SessionError, match=r"has README\.md already: take another folder"):
            session.export(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
        done = session.export(tmp_path, overwrite=True)
        assert repr(done).startswith(f"exported to {tmp_path}")
        assert "<table" in done._repr_html_()
        for name in ("functions.py", "module.yaml", "README.md"):
            assert (tmp_path / name).read_text() == (exported / name).read_text()
    finally:
        sf.stop()
        shell.run_line_magic("unload_ext", "statefun_nb")
        assert shell.history_manager is not None
        shell.history_manager.end_session()
        InteractiveShell.clear_instance()


def test_outside_a_notebook_there_are_no_cells(functions):
    session = sf.start(port=0, functions=functions)
    with pytest.raises(sf.SessionError, match="reads the cells of a notebook, and this is"):
        session.export("project")
    assert not Path("project").exists()


def test_a_module_that_is_not_there_or_needs_what_is_not_there(tmp_path):
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "needs.py").write_text("import not_installed_anywhere")
    (tmp_path / "two.py").write_text(
        "import statefun_nb as sf\na = sf.StatefulFunctions()\nb = sf.StatefulFunctions()"
    )
    for module, message in (
        ("absent", "there is no module 'absent' here"),
        ("empty", "empty declares no functions"),
        ("two.py", "which of a, b? Write two:NAME"),
        ("two:c", "two has no StatefulFunctions named 'c'"),
        ("needs", "ModuleNotFoundError: No module named 'not_installed_anywhere'"),
    ):
        done = command("statefun_nb", "serve", module, cwd=tmp_path)
        assert done.returncode == 1
        assert message in done.stderr


def test_a_port_that_is_taken_is_an_error_here(tmp_path):
    (tmp_path / "one.py").write_text(
        "import statefun_nb as sf\n@sf.function('a/b')\ndef f(ctx, message):\n    pass"
    )
    with sf.start(port=0, functions=sf.StatefulFunctions()) as session:
        begin = time.perf_counter()
        done = command(
            "statefun_nb", "serve", "one", "--port", str(session.endpoint.port), cwd=tmp_path
        )
        assert time.perf_counter() - begin < 30
    assert done.returncode == 1
    assert f"port {session.endpoint.port} of 127.0.0.1 is taken" in done.stderr
