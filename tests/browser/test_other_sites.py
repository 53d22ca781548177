"""A page of another site, in a real browser, tries every port of a session."""

from __future__ import annotations

import base64
import http.server
import threading

import pytest

import statefun_nb as sf
from statefun_nb.cluster.cluster import Cluster
from tests import peer
from tests.endpoint.test_http import ask, post
from tests.engine.test_remote import emits, fetch, playground, ports  # noqa: F401 - a fixture
from tests.requirements import CHROMIUM, find_chromium, need_flink

EVIL = "evil.example"

# Every way in which a page sends something to an address that is not its own.
ATTACK = """
async ([urls, body]) => {
  const bytes = Uint8Array.from(atob(body), (c) => c.charCodeAt(0));
  const wait = (element) => new Promise((done) => {
    element.onload = element.onerror = done;
    setTimeout(done, 3000);
    document.body.append(element);
  });
  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
  const answers = [];
  for (const url of urls) {
    for (const method of ["GET", "POST"]) {
      for (const mode of ["no-cors", "cors"]) {
        const init = method === "GET" ? { method, mode } : { method, mode, body: bytes };
        try {
          const answer = await fetch(url, init);
          answers.push(mode === "cors" ? `${method} ${url} ${answer.status}` : "");
        } catch {}
      }
    }
    navigator.sendBeacon(url, bytes);
    await wait(make("img", { src: url }));
    await wait(make("script", { src: url }));
    await wait(make("link", { rel: "stylesheet", href: url }));
    await wait(make("iframe", { src: url }));
    const frame = make("iframe", { name: `frame${answers.length}${Math.random()}` });
    const form = make("form", { action: url, method: "post", target: frame.name });
    document.body.append(form);
    const sent = wait(frame);
    form.submit();
    await sent;
  }
  return answers.filter((answer) => answer);
}
"""


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>elsewhere</title><body></body>")

    def log_message(self, *_):
        pass


@pytest.fixture
def site():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{EVIL}:{server.server_address[1]}/"
        server.shutdown()


@pytest.fixture
def elsewhere(browser):
    """A page in a browser for which the other site's name leads to this machine."""
    own = browser.browser_type.launch(
        executable_path=find_chromium(),
        args=[*CHROMIUM, f"--host-resolver-rules=MAP {EVIL} 127.0.0.1"],
    )
    page = own.new_context().new_page()
    page.set_default_timeout(120_000)
    yield page
    own.close()


def test_a_page_of_another_site_reaches_nothing(elsewhere, site, ports, functions):  # noqa: F811 - the fixture
    emits(functions)
    with sf.start(port=0, functions=functions) as session:
        session.load_module(playground(ports))
        session.send("p/login", "bob", "bob")
        session.wait_idle()
        body = peer.request(("p/login", "eve"), [peer.text("eve")], {"n": None})
        encoded = base64.b64encode(body).decode()
        into, out = ports
        endpoint = session.endpoint.port
        places = [
            (endpoint, "statefun"),
            (endpoint, "health"),
            (into, "p/login/eve"),
            (out, "greet"),
        ]

        elsewhere.goto(site)
        urls = [
            f"http://{host}:{port}/{path}"
            for port, path in places
            for host in ("127.0.0.1", "localhost", EVIL)
        ]
        assert elsewhere.evaluate(ATTACK, [urls, encoded]) == []  # nothing could be read
        # And when the page's own name leads to the port (DNS rebinding), so that all is one origin.
        for port, path in places:
            ours = f"http://{EVIL}:{port}/{path}"
            assert elsewhere.goto(ours).status in (403, 405)
            seen = elsewhere.evaluate(ATTACK, [[ours], encoded])
            assert seen
            assert {line.rpartition(" ")[2] for line in seen} <= {"403", "405"}
        session.wait_idle()
        assert len(session.invocations) == 1
        assert fetch(out, "greet") == (200, "hello bob")  # the record is still there
        # The same request of a program is served.
        assert ask(session.endpoint, post(body))[0] == 200
        assert len(session.invocations) == 2


def test_flinks_web_interface_is_for_the_link_alone(elsewhere, site, page, functions):
    need_flink()

    @sf.function("w/count", state={"n": int}, functions=functions)
    def count(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1

    with sf.start(engine="flink", port=0, functions=functions) as session:
        session.send("w/count", "a", 1)
        session.wait_idle(180)
        cluster, link = session.engine.cluster, session.status().web_url
        assert isinstance(cluster, Cluster)
        assert link is not None
        rest = cluster.rest
        job = rest.job()
        port = rest.url.rpartition(":")[2]
        paths = ["jobs/overview", f"jobs/{job}/yarn-cancel", f"jobs/{job}/savepoints"]
        urls = [
            f"{scheme}://{host}:{port}/{path}"
            for path in paths
            for scheme, host in (("http", "127.0.0.1"), ("https", "127.0.0.1"), ("http", EVIL))
        ]
        elsewhere.goto(site)
        body = base64.b64encode(b'{"cancel-job": true}').decode()
        assert elsewhere.evaluate(ATTACK, [[*urls, link + paths[0]], body]) == []
        session.send("w/count", "a", 1)
        session.wait_idle(180)
        assert rest.running()
        assert (rest.job(), rest.restored()) == (job, 0)
        assert session.state("w/count", "a") == {"n": 2}
        # And who has the link sees all of it.
        page.goto(link)
        page.get_by_text("StatefulFunctions").first.wait_for()
        page.get_by_text("StatefulFunctions").first.click()
        page.get_by_text("RUNNING").first.wait_for()
