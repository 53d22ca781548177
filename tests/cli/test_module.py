"""``statefun-nb module``, and the module.yaml of Go's early README, run as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

import statefun_nb as sf
from statefun_nb.cli.main import main
from statefun_nb.cluster.processes import free_ports
from statefun_nb.protocol.module_reader import read_module
from tests.protocol.test_module_older import OF_1, OF_2, README
from tests.waiting import eventually

# The README's greeter, in Python: `Session statefun.State` and a count.
GREETER = """
import statefun_nb as sf


@sf.function("demo/greeter")
class Greeter(sf.StatefulFunction):
    session = sf.State(int)

    def invoke(self, ctx, message):
        seen = self.session.get() or 0
        self.session.set(seen + 1)
        print(message.as_string(), "for", ctx.address.id)
        text = f"Hi {ctx.address.id} {seen + 1}"
        ctx.send_egress(sf.EgressMessage(
            "io.statefun.playground/egress",
            sf.egress_message_builder(
                "io.statefun.playground/egress", value={"topic": "greetings", "payload": text},
                value_type=sf.make_json_type("io.statefun.playground/EgressRecord"),
            ).typed_value,
        ))
"""


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "greeter_of_go.py").write_text(GREETER)
    yield tmp_path
    sys.modules.pop("greeter_of_go", None)
    from statefun_nb.sdk.functions import default_functions

    if default_functions.find("demo/greeter") is not None:
        default_functions.undeclare("demo/greeter")


# A function that is served here is called without aiohttp, even where a module.yaml names it.
WITHOUT_AIOHTTP = """
import sys
sys.modules["aiohttp"] = None
from statefun_nb.cli.main import main
sys.exit(main())
"""


def test_the_module_of_gos_readme_runs_as_it_stands(written):
    into, out = free_ports(2)
    playground = (
        f"---\nkind: io.statefun.playground.v1/ingress\nspec: {{port: {into}}}\n---\n"
        f"kind: io.statefun.playground.v1/egress\nspec: {{port: {out}, topics: [greetings]}}\n"
    )
    (written / "module.yaml").write_text(README + playground)
    command = [sys.executable, "-c", WITHOUT_AIOHTTP, "run", "module.yaml", "--port", "0"]
    command += ["--functions", "greeter_of_go"]
    with subprocess.Popen(
        command, cwd=written, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            assert running.stdout is not None
            assert running.stderr is not None
            told = [running.stdout.readline()]
            while "Ctrl-C" not in told[-1]:
                assert running.poll() is None, running.stderr.read()
                told.append(running.stdout.readline())
            served_here, *_ = read_module("".join(told[:-1]))
            assert served_here.spec["functions"] == "demo/*"  # what it serves, by v3
            assert "# Left out, as an endpoint of StateFun 2.x: demo/greeter at " in told[-2]
            for text in (b"one", b"two"):
                url = f"http://127.0.0.1:{into}/demo/greeter/bob"
                plain = {"Content-Type": "text/plain; charset=utf-8"}
                with urllib.request.urlopen(urllib.request.Request(url, text, plain)):
                    pass
            printed = [running.stdout.readline() for _ in range(2)]
            assert printed == ["one for bob\n", "two for bob\n"]
            said: list[str] = []

            def greeted():
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{out}/greetings") as answer:
                        said.append(answer.read().decode())
                except urllib.error.HTTPError as error:
                    error.close()
                return len(said) == 2

            eventually(greeted)
            assert [re.sub(r'[" \n]*$|^"', "", each) for each in said] == ["Hi bob 1", "Hi bob 2"]
            url = f"http://127.0.0.1:{into}/demo/greter/bob"
            with urllib.request.urlopen(urllib.request.Request(url, b"one")):
                pass
            missing = running.stderr.readline()
            assert missing.startswith("demo/greter 'bob': ")
            assert missing.endswith("did you mean 'demo/greeter'?\n")
            request = urllib.request.Request(url, b"\xff", plain)
            with pytest.raises(urllib.error.HTTPError, match="500") as refused:
                urllib.request.urlopen(request)
            assert b"codec can't decode" in refused.value.read()
        finally:
            running.terminate()
            running.wait(60)


def test_convert_writes_one_of_today_and_says_what_the_functions_have_to_do(written, capsys):
    (written / "old.yaml").write_text(OF_2)
    assert main(["module", "convert", "old.yaml"]) == 0
    said = capsys.readouterr()
    documents = read_module(said.out)
    assert documents[0].kind == "io.statefun.endpoints.v1/http"
    assert len(documents) == 5
    assert said.err == (
        "old.yaml, line 12: shop/cart has to answer protocol v3 at "
        "http+unix:///run/cart.sock/statefun, and declare its state itself: items (expires "
        "60000millisecond after-write), owner (expires 1min after-invoke), paid\n"
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            ("http+unix:///run/cart.sock/statefun", "ftp://127.0.0.1/"),
            "line 12: endpoint: StateFun",
        ),
        (("/run/cart.sock/", "/run/cart/"), "line 12: endpoint: StateFun"),
        (
            ("connectTimeout", "maxNumBatchRequests: many\n            connectTimeout"),
            "'many' is not",
        ),
        (
            ("connectTimeout: 5s", "connectTimeout: soon"),
            "line 20: connectTimeout: 'soon' is not a duration",
        ),
        (("type: shop/cart", "type: shop/*"), "line 10: 'shop/*': before 3.0"),
    ],
)
def test_convert_refuses_what_a_session_does(written, capsys, change, says):
    assert change[0] in OF_2
    functions, _, _ = OF_2.partition("    ingresses:")  # without what needs a cluster
    (written / "old.yaml").write_text(functions.replace(*change))
    assert main(["module", "convert", "old.yaml"]) == 1
    said = capsys.readouterr()
    assert says in said.err
    assert not said.out
    with sf.start(port=0) as session, pytest.raises(sf.StatefunError, match=re.escape(says)):
        session.load_module("old.yaml")


def test_convert_and_a_session_warn_of_what_is_ignored(written, capsys):
    (written / "old.yaml").write_text(OF_1.replace("timeout: 2min", "timeOut: 2min"))
    says = "old.yaml: what StateFun does not know, it ignores: line 17: shop/cart has no 'timeOut'"
    with pytest.warns(UserWarning, match=re.escape(says)):
        assert main(["module", "convert", "old.yaml"]) == 0
    with sf.start(port=0) as session, pytest.warns(UserWarning, match=re.escape(says)):
        session.load_module("old.yaml")


def test_the_module_of_functions_in_both_versions(written, capsys):
    assert main(["module", "--functions", "greeter_of_go"]) == 0
    (today,) = read_module(capsys.readouterr().out)
    assert today.spec == {
        "functions": "demo/*",
        "urlPathTemplate": "http://127.0.0.1:8000/statefun",
    }
    assert main(["module", "--functions", "greeter_of_go", "--version", "2.0"]) == 0
    (older,) = read_module(capsys.readouterr().out)
    assert older.spec == {
        "functions": "demo/greeter",
        "urlPathTemplate": "http://127.0.0.1:8000/statefun/v2",
        "states": [{"name": "session"}],
    }
    assert main(["module"]) == 1
    assert "whose? Write statefun-nb module --functions" in capsys.readouterr().err


def test_a_real_cluster_of_3_x_refuses_an_endpoint_of_2_x(written, capsys):
    pytest.importorskip("jgo")
    (written / "old.yaml").write_text(OF_2)
    assert main(["cluster", "up", "old.yaml"]) == 1
    assert "shop/cart is an endpoint of StateFun 2.x" in capsys.readouterr().err
