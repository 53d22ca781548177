"""The key by which Flink's REST interface knows a session, on a server that asks for it, too."""

from __future__ import annotations

import http.server
import importlib.util
import json
import ssl
import stat
import threading

import pytest

import statefun_nb as sf
from statefun_nb.cluster.external import ExternalCluster
from statefun_nb.cluster.flink import Rest
from statefun_nb.cluster.identity import make_identity
from statefun_nb.cluster.release import OF_3

pytest.importorskip("cryptography")


class Jobs(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"jobs": [{"jid": "j1"}]}')

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass  # who has no key, or another one


@pytest.fixture
def made(tmp_path):
    folder = tmp_path / "cluster"
    folder.mkdir()
    return make_identity(folder)


@pytest.fixture
def url(made):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.pem)
    context.load_verify_locations(made.pem)
    context.verify_mode = ssl.CERT_REQUIRED
    with Server(("127.0.0.1", 0), Jobs) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_who_shows_the_key_is_answered_and_nobody_else(made, url, tmp_path):
    assert Rest(url, made.context()).job() == "j1"
    other = tmp_path / "other"
    other.mkdir()
    assert Rest(url, make_identity(other).context()).job() is None
    assert Rest(url, ssl._create_unverified_context()).job() is None
    assert Rest(url.replace("https", "http")).job() is None
    assert {stat.S_IMODE(each.stat().st_mode) for each in made.pem.parent.iterdir()} == {0o600}


def test_a_session_has_the_key_of_the_cluster_that_is_up(made, url, tmp_path, monkeypatch):
    """As ``statefun-nb cluster up`` leaves it in the cache."""
    monkeypatch.setenv("STATEFUN_NB_CACHE", str(tmp_path))
    there = {"rest_url": url, "bootstrap_servers": "127.0.0.1:1"}
    (tmp_path / "cluster" / "cluster.json").write_text(json.dumps(there))
    assert ExternalCluster("docker", OF_3, "127.0.0.1:1", f"{url}/").rest.job() == "j1"
    assert ExternalCluster("docker", OF_3, "127.0.0.1:1", "http://127.0.0.1:1").rest.context is None


def test_without_the_library_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(sf.EngineError, match="the real StateFun needs cryptography: "):
        make_identity(tmp_path)
