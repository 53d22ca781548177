"""``statefun-nb`` as it is typed."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import statefun_nb as sf
from statefun_nb import __version__
from statefun_nb.cli.main import main
from statefun_nb.errors import install_command


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "statefun_nb", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_demo_runs_the_greeter_and_some_flights():
    pytest.importorskip("pandas")
    done = run("demo", "--flights", "2000")
    assert done.returncode == 0, done.stderr
    assert "20,000 messages to 100 persons" in done.stdout
    assert "2,000 records" in done.stdout
    assert "alerts of late arrivals" in done.stdout


def test_ctrl_c_ends_it_without_a_traceback():
    pytest.importorskip("pandas")
    demo = subprocess.Popen(
        [sys.executable, "-u", "-m", "statefun_nb", "demo"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with demo:
        assert demo.stdout is not None
        assert demo.stdout.readline()
        demo.send_signal(signal.SIGINT)
        _, errors = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert "Traceback" not in errors


@pytest.mark.parametrize("seconds", [0.05, 0.1, 0.25])
def test_ctrl_c_while_it_is_imported_is_no_error_either(seconds):
    imports = (
        "import sys, threading, signal, os\n"
        "import statefun_nb.__main__ as entry\n"
        "seconds, interrupt = float(sys.argv.pop(1)), (os.getpid(), signal.SIGINT)\n"
        "threading.Timer(seconds, os.kill, interrupt).start()\n"
        "sys.exit(entry.main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", imports, f"{seconds}", "demo"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (130, "")


def test_help_and_version():
    assert "demo" in run("--help").stdout
    assert run("--version").stdout.strip() == __version__


def test_an_unknown_command_is_a_usage_error():
    done = run("nonsense")
    assert done.returncode == 2
    assert "invalid choice: 'nonsense'" in done.stderr


def test_without_pandas_the_demo_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert main(["demo"]) == 1
    assert install_command("lab") in capsys.readouterr().err


def test_the_doctor_tells_what_is_there_and_what_to_do(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("JAVA_HOME", "")
    assert main(["doctor", "--json"]) == 0
    findings = {each["part"]: each for each in json.loads(capsys.readouterr().out)}
    assert findings["Python"]["ok"]
    assert findings["protobuf"]["found"] == version("protobuf")
    assert not findings["Docker"]["ok"]
    assert "not installed" in findings["Docker"]["found"]
    assert 'engine="flink"' in findings["Docker"]["fix"]
    assert "fetched from PyPI" in findings["Java"]["fix"]
    assert main(["doctor"]) == 0
    assert "what to do" in capsys.readouterr().out


def test_the_doctor_names_what_each_statefun_would_fetch(monkeypatch, capsys, tmp_path):
    pytest.importorskip("jgo")
    monkeypatch.setenv("STATEFUN_NB_CACHE", str(tmp_path))
    monkeypatch.setenv("STATEFUN_NB_OFFLINE", "1")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)  # Maven's cache is there
    assert main(["doctor", "--json"]) == 0
    findings = {each["part"]: each for each in json.loads(capsys.readouterr().out)}
    for statefun, flink, package, jar, fetch in (
        ("3.3.0", "1.16.2", "apache-flink-libraries from PyPI, 237", 107, "cluster fetch"),
        ("2.2.2", "1.11.3", "apache-flink from PyPI, 205", 47, "cluster fetch --statefun 2.2.2"),
    ):
        found = findings[f"StateFun {statefun}, Flink {flink}, Kafka 3.9.1"]
        assert not found["ok"]
        assert found["found"] == (
            f"not in the cache: Flink {flink} ({package} MB), StateFun {statefun} "
            f"(1 file from Maven, {jar} MB), Kafka 3.9.1 (57 files from Maven, 46 MB)"
        )
        assert found["fix"].endswith(f"(but STATEFUN_NB_OFFLINE is set), or by statefun-nb {fetch}")


def test_the_doctor_cuts_no_command(monkeypatch, capsys):
    command = "pip install " + "x" * 300

    def lacks(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("statefun_nb.cli.doctor.version", lacks)
    monkeypatch.setattr("statefun_nb.cli.doctor.install_command", lambda extra: command)
    assert main(["doctor"]) == 0
    assert command in capsys.readouterr().out


def test_the_doctor_sees_a_taken_port(capsys):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # somebody else has it
            taken.bind(("127.0.0.1", 8000))
            taken.listen()
        assert main(["doctor", "--json"]) == 0
    findings = {each["part"]: each for each in json.loads(capsys.readouterr().out)}
    assert findings["port 8000"]["found"] == "taken"


def test_lab_without_a_folder_says_so(capsys):
    pytest.importorskip("jupyterlab")
    assert main(["lab", "/no/such/folder"]) == 1
    assert "is not a folder" in capsys.readouterr().err


def test_what_follows_two_dashes_is_for_jupyterlab(monkeypatch, tmp_path):
    labapp = pytest.importorskip("jupyterlab.labapp")
    heard: list[list[str]] = []
    monkeypatch.setattr(labapp, "main", heard.append)
    (tmp_path / "00_tour.ipynb").touch()
    assert main(["lab", str(tmp_path), "--", "--no-browser", "--port=9999"]) == 0
    assert heard == [[str(tmp_path / "00_tour.ipynb"), "--no-browser", "--port=9999"]]


WRONG = {
    "run README.md": "README.md is no module.yaml (README.md, line 3: ",
    "run nothing.yaml": "cannot read nothing.yaml: No such file",
    "run .": "cannot read .: Is a directory",
    "run lacks.yaml": "lacks.yaml, line 2: the spec of io.statefun.endpoints.v2/http lacks",
    "run kinds.yaml": "kinds.yaml, line 1: the embedded engine reads no io.statefun.kinesis.v1",
    "run latin.yaml": "cannot read latin.yaml: it is not text in UTF-8",
    "cluster up README.md": "README.md is no module.yaml (README.md, line 3: ",
    "cluster up empty.yaml": "empty.yaml is empty",
    "cluster logs": "no cluster is up",
    "export README.md out": "README.md is not a notebook",
    "export nothing.ipynb out": "cannot read nothing.ipynb: No such file",
    "export empty.json out": "empty.json is not a notebook: it has no cells",
    "run empty.yaml": "empty.yaml is empty",
    "serve README.md": "README.md is a file, and no module of Python",
    "serve nothing": "there is no module 'nothing' here",
    "serve folder/nothing.py": "there is no module 'nothing' here",
    "serve plain": "plain declares no functions",
    "serve ./plain.py": "plain declares no functions",
    "serve plain:wanted": "plain has no StatefulFunctions named 'wanted'",
    "serve needs": "cannot be imported at needs.py, line 2: ModuleNotFoundError: No module named",
    "serve fails": "cannot be imported at fails.py, line 1: ZeroDivisionError",
    "serve ends": "cannot be imported at ends.py, line 1: SystemExit: 3",
    "serve syntax": "cannot be imported: SyntaxError: ",
    "serve :some": "which module? Write its name, or the path of its .py file",
    "run some.py": "some.py is Python, and no module.yaml: `statefun-nb serve some.py` serves its "
    "functions to a cluster, `statefun-nb run MODULE.yaml --functions some.py` runs them here",
    "run none.py": "cannot read none.py: No such file",
    "module convert some.py": "some.py is Python, and no module.yaml",
    "serve ..": ".. is no name of a module: write that, or the path of its .py file",
    "serve some --host 0.0.0.0 --no-token": "0.0.0.0 is reached from elsewhere: without a token",
}


@pytest.mark.parametrize("line", WRONG)
def test_what_is_wrong_is_an_error_about_just_that(line, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("STATEFUN_NB_CACHE", str(tmp_path / "cache"))
    if line.startswith("export"):
        pytest.importorskip("nbclient")
    files = {
        "empty.json": "{}",
        "empty.yaml": "\n",
        "README.md": "# Read me\n\nThis: is: no YAML\n",
        "lacks.yaml": "kind: io.statefun.endpoints.v2/http\nspec:\n  functions: a/b\n",
        "kinds.yaml": "kind: io.statefun.kinesis.v1/ingress\nspec:\n  id: a/b\n  streams: []\n",
        "plain.py": "",
        "needs.py": "\nimport nothing_of_that_name\n",
        "fails.py": "1 / 0\n",
        "ends.py": "raise SystemExit(3)\n",
        "syntax.py": "(\n",
        "some.py": "import statefun_nb as sf\nsome = sf.StatefulFunctions()\n"
        "some.bind('a/b')(lambda ctx, message: None)\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "latin.yaml").write_bytes("# für\n".encode("latin-1"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    modules = {*sys.modules}
    any_port = ["--port", "0"] if line.startswith("run") else []  # that of a user may be taken
    try:
        assert main([*line.split(), *any_port]) == 1
    finally:
        for name in sys.modules.keys() - modules:
            if name in {"plain", "needs", "fails", "ends", "syntax", "some"}:
                del sys.modules[name]
    said = capsys.readouterr().err
    assert said.startswith("statefun-nb: ")
    assert WRONG[line] in said


def test_serve_says_as_json_where_it_is(tmp_path):
    (tmp_path / "some.py").write_text(
        "import statefun_nb as sf\n@sf.function('a/b')\ndef b(ctx, message): pass\n"
    )
    serve = subprocess.Popen(
        [sys.executable, "-m", "statefun_nb", "serve", "some", "--port", "0", "--json"],
        stdout=subprocess.PIPE, text=True, cwd=tmp_path,
    )  # fmt: skip
    with serve:
        assert serve.stdout is not None
        try:
            said = json.loads(serve.stdout.readline())
            assert said["functions"] == ["a/b"]
            assert len(said["url"].partition("/statefun/")[2]) > 20
            assert said["url_v2"] == said["url"] + "/v2"
            with urllib.request.urlopen(said["health_url"]) as answer:
                assert json.load(answer)["functions"] == ["a/b"]
        finally:
            serve.terminate()


@pytest.mark.parametrize(
    "line",
    [
        "demo --flights -5",
        "demo --flights many",
        "serve --port 99999 plain",
        "run module.yaml --port -1",
        "run module.yaml --on-error explode",
        "serve plain --token a/b",
        "serve plain --token a --no-token",
        "cluster up module.yaml --parallelism 0",
        "cluster",
        "",
    ],
)
def test_what_no_command_takes_is_refused_before_anything_is_done(line, capsys):
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    assert ended.value.code == 2
    assert ": error: " in capsys.readouterr().err


def test_the_status_of_nothing(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("STATEFUN_NB_CACHE", str(tmp_path))
    assert main(["cluster", "status"]) == 1
    assert capsys.readouterr().out == "no cluster is up\n"
    assert main(["cluster", "status", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) is None
    assert main(["cluster", "down"]) == 0


def test_without_the_extra_a_cluster_says_what_to_install(monkeypatch, capsys):
    monkeypatch.delenv("STATEFUN_NB_CACHE", raising=False)
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    assert main(["cluster", "status"]) == 1
    assert install_command("flink") in capsys.readouterr().err


def test_whoever_reads_the_first_line_only_sees_no_traceback():
    doctor = subprocess.Popen(
        [sys.executable, "-m", "statefun_nb", "doctor"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with doctor:
        assert doctor.stdout is not None
        doctor.stdout.close()
        assert doctor.stderr is not None
        errors = doctor.stderr.read()
    assert doctor.returncode == 141
    assert errors == ""


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_options_and_files(tmp_path):
    (tmp_path / "module.yaml").touch()
    program = f"""
    eval "$({sys.executable} -m statefun_nb --print-completion bash)"
    try() {{
        COMP_WORDS=(statefun-nb "$@") COMP_CWORD=$#
        _shtab_statefun_nb "" "${{!#}}" ""
        echo "${{COMPREPLY[@]}}"
    }}
    try clu
    try cluster s
    try serve --p
    try run mod
    """
    done = subprocess.run(
        ["bash", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split() == ["cluster", "status", "--port", "module.yaml"]


def test_run_of_what_needs_kafka_names_what_runs_it(tmp_path):
    module = tmp_path / "module.yaml"
    module.write_text(
        "kind: io.statefun.kafka.v1/egress\nspec:\n  id: a/b\n  address: kafka:9092\n"
        "---\nkind: io.statefun.kafka.v1/ingress\nspec:\n  id: a/in\n  address: kafka:9092\n"
        "  consumerGroupId: g\n  topics: []\n"
    )
    done = run("run", str(module), "--port", "0")
    assert done.returncode == 1
    assert f"`statefun-nb cluster up {module}`" in done.stderr
    assert "`statefun-nb serve MODULE`" in done.stderr


def test_a_warning_is_told_without_a_place_in_our_code(tmp_path):
    module = tmp_path / "module.yaml"
    module.write_text("kind: x/unknown\nspec: {}\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run("run", str(module), "--port", port)
    assert f"statefun-nb: port {port} is taken: the endpoint listens on port" in done.stderr
    assert ".py" not in done.stderr


def test_an_option_of_jupyterlab_is_told_where_it_goes(capsys):
    with pytest.raises(SystemExit):
        main(["lab", "--no-browser"])
    assert "(write -- before what is for JupyterLab)" in capsys.readouterr().err


def test_lab_says_when_there_is_no_tour(monkeypatch, tmp_path, capsys):
    labapp = pytest.importorskip("jupyterlab.labapp")
    opened: list[list[str]] = []
    monkeypatch.setattr(labapp, "main", opened.append)
    assert main(["lab", str(tmp_path)]) == 0
    assert opened == [[str(tmp_path)]]
    assert f"there is no tour in {tmp_path}" in capsys.readouterr().err


def test_every_option_has_a_help():
    for command in ("run", "serve", "export", "lab", "doctor", "workshop new", "workshop check"):
        shown = run(*command.split(), "--help").stdout
        options = shown.partition("options:")[2].splitlines()
        for line, following in zip(options, [*options[1:], ""], strict=True):
            if line.startswith("  -"):
                helped = len(line.split("  ")) > 2 or following.startswith("      ")
                assert helped, line


ESCAPES = "\x1b]0;owned\x07\x1b[2J\rFAKE"


def test_no_text_of_an_error_moves_the_cursor(tmp_path):
    (tmp_path / "bad.py").write_text(f"raise ValueError({ESCAPES!r})")
    (tmp_path / "warns.py").write_text(f"import warnings\nwarnings.warn({ESCAPES!r})\n")
    for words in (
        ["serve", str(tmp_path / "bad.py")],
        ["serve", str(tmp_path / "warns.py")],
        ["serve", ESCAPES],
        ["run", ESCAPES],
        [ESCAPES],
        ["doctor", ESCAPES],
    ):
        done = run(*words)
        assert done.returncode in (1, 2)
        assert "FAKE" in done.stderr
        assert done.stderr.replace("\n", "").isprintable(), words


def test_no_name_of_a_folder_moves_the_cursor(tmp_path):
    folder = tmp_path / ESCAPES.replace("/", "-")
    graded = folder / "graded"
    graded.mkdir(parents=True)
    (graded / "one.ipynb").write_text("no notebook")
    for words in (
        ["workshop", "new", str(folder)],
        ["workshop", "new", str(folder)],  # they are there already
        ["export", str(folder / "missing.ipynb"), str(folder / "project")],
        ["grade", str(graded)],
    ):
        done = run(*words)
        said = done.stdout + done.stderr
        assert "FAKE" in said or words[0] != "workshop", words  # the others may ask for an extra
        assert said.replace("\n", "").isprintable(), words


@pytest.mark.parametrize("words", [["workshop", "new", ""], ["export", "x.ipynb", ""], ["lab", ""]])
def test_an_empty_name_is_not_the_current_folder(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(*words)
    assert done.returncode == 2
    assert "it is empty: write a name, or . for this folder" in done.stderr
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("words", [["module", "convert"], ["run"], ["cluster", "up"]])
def test_a_file_without_an_end_is_refused(words):
    for endless, why in (("/dev/urandom", "not text in UTF-8"), ("/dev/zero", "no module.yaml")):
        if words != ["cluster", "up"] or endless == "/dev/urandom":  # it asks for Docker first
            done = run(*words, endless)
            assert done.returncode == 1
            assert why in done.stderr


def test_what_fails_in_a_served_module_is_plain_text_on_stderr(tmp_path):
    functions = sf.StatefulFunctions()
    functions.register("t/f", lambda ctx, message: None)
    kept = {"durable": tmp_path / "kept.db", "paused": True}
    with sf.start(port=0, functions=functions, **kept) as session:
        session.send("t/f", "a", ESCAPES)
    (tmp_path / "module.yaml").write_text(
        "kind: io.statefun.endpoints.v2/http\nspec:\n  functions: a/*\n"
        "  urlPathTemplate: http://127.0.0.1:9/\n"
    )
    (tmp_path / "failing.py").write_text(
        "import statefun_nb as sf\n"
        "@sf.function('t/f')\n"
        "def f(ctx, message):\n"
        "    raise ValueError(message.value)\n"
    )
    command = [sys.executable, "-m", "statefun_nb", "run", "module.yaml", "--functions", "failing"]
    with subprocess.Popen(
        [*command, "--port", "0", "--on-error", "skip", "--durable", "kept.db"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        assert running.stderr is not None
        hint, said = running.stderr.readline(), running.stderr.readline()
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=60)
    assert hint.startswith("no message comes in, as the file has no ingress")
    assert "t/f 'a': ValueError: " in said
    assert said.rstrip("\n").isprintable()


@pytest.mark.skipif(sys.platform == "win32", reason="a shell's own way to close a file")
@pytest.mark.parametrize("words", ["doctor", "--help", "nonsense"])
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-", "> /dev/full"])
def test_a_closed_stdout_is_no_traceback(words, closed):
    done = subprocess.run(
        f"{sys.executable} -m statefun_nb {words} {closed}",
        shell=True, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 1, 2)


@pytest.mark.parametrize("url", ["", "nope", "http://", "ftp://x/y"])
def test_what_is_no_url_is_none_of_an_endpoint(url):
    done = run("module", "--functions", "nothing", "--url", url)
    assert done.returncode == 2
    assert "is no URL of an endpoint: write one such as http://127.0.0.1" in done.stderr


def test_a_folder_in_which_nothing_can_be_graded_ends_with_an_error(tmp_path):
    pytest.importorskip("nbclient")
    (tmp_path / "one.ipynb").write_text("no notebook")
    done = run("grade", str(tmp_path))
    assert done.returncode == 1
    assert "one" in done.stdout
    assert "none of these notebooks could be graded: the table says why" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a folder that is used cannot be removed there")
@pytest.mark.parametrize("words", ["serve some", "lab", "export x.ipynb out"])
def test_a_folder_that_is_gone_is_told_in_a_line(words, tmp_path, monkeypatch, capsys):
    if words == "lab":
        monkeypatch.setattr(pytest.importorskip("jupyterlab.labapp"), "main", pytest.fail)
    elif words.startswith("export"):
        notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (tmp_path / "x.ipynb").write_text(json.dumps(notebook))
        words = words.replace("x.ipynb", str(tmp_path / "x.ipynb"))
        pytest.importorskip("nbclient")
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert main(words.split()) == 1
    said = capsys.readouterr().err
    assert said == (
        "statefun-nb: the folder that this was started in is gone: `cd` to one that is there\n"
    )


def test_a_file_that_the_system_does_not_give_is_told_in_a_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("STATEFUN_NB_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.delenv("STATEFUN_NB_OFFLINE", raising=False)
    assert main(["cluster", "fetch"]) == 1
    said = capsys.readouterr().err
    assert said == f"statefun-nb: {tmp_path / 'file' / 'cache'}: Not a directory\n"


def test_an_error_of_the_system_that_nobody_expects_is_no_line(monkeypatch):
    def examined():
        raise OSError(111, "Connection refused")

    monkeypatch.setattr("statefun_nb.cli.main.examine", examined)
    with pytest.raises(ConnectionRefusedError):
        main(["doctor"])


@pytest.mark.parametrize("words", [["serve", ""], ["module", "--functions", ""]])
def test_an_empty_name_is_none_of_a_module(words, capsys):
    assert main(words) == 1
    assert capsys.readouterr().err.startswith("statefun-nb: which module? Write its name")


def test_a_module_of_python_without_its_option_is_told_where_it_goes(capsys):
    for words, hinted in ((["fns.py"], True), (["--version", "4"], False)):
        with pytest.raises(SystemExit):
            main(["module", *words])
        said = capsys.readouterr().err
        assert "invalid choice: " in said
        assert ("a module of Python goes behind --functions" in said) == hinted
