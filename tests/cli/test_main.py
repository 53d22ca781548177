"""``statefun-nb`` as it is typed."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from importlib.metadata import version

import pytest

from statefun_nb import __version__
from statefun_nb.cli.main import main


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
    assert 'pip install "statefun_nb[lab]"' in capsys.readouterr().err


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


def test_the_doctor_sees_a_taken_port(capsys):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 8000))
        taken.listen()
        assert main(["doctor", "--json"]) == 0
    findings = {each["part"]: each for each in json.loads(capsys.readouterr().out)}
    assert findings["port 8000"]["found"] == "taken"


def test_lab_without_a_folder_says_so(capsys):
    pytest.importorskip("jupyterlab")
    assert main(["lab", "/no/such/folder"]) == 1
    assert "is not a folder" in capsys.readouterr().err
