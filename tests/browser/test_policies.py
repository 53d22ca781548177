"""The bundle as a widget in frames like those of other hosts: policy, sandbox and colours.

The kernel's side is the real one, a ``Dashboard`` on a comm; the test carries the messages between
it and the frame. The policy is that of VS Code's notebooks where their setting
``notebook.experimental.enableCsp`` is on. Colab has outputs in a frame of another origin; here it
is one without any.
"""

from __future__ import annotations

import json
import time

import pytest

pytest.importorskip("playwright")
pytest.importorskip("anywidget")

import comm

import statefun_nb as sf
from tests.views.test_dashboard import Page, RecordingComm

from .conftest import ROOT
from .test_dashboard import PANES

BUNDLE = ROOT / "statefun_nb" / "views" / "static"
VS_CODE = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' https: http: data:; "
    "font-src 'self' https:; connect-src https:; child-src https: data:"
)
HOSTS = {
    "VS Code": ("allow-scripts allow-same-origin allow-forms allow-downloads", VS_CODE),
    "an opaque origin": ("allow-scripts allow-forms", "default-src 'self' 'unsafe-inline' data:"),
}
# A model as anywidget gives one, whose messages the test carries.
FRAME = """<!doctype html><link rel="stylesheet" href="/dashboard.css">
<style>:root { --vscode-editor-background: #1e1e1e; --vscode-editor-foreground: #ccc }</style>
<body class="vscode-dark">
<div id="place" style="width: 800px"></div>
<script type="module">
    import widget from "/dashboard.js";
    const traits = TRAITS;
    const listeners = [];
    const fire = (event, ...told) => {
        for (const [name, callback] of [...listeners]) if (name === event) callback(...told);
    };
    window.said = [];
    window.hear = (text) => {
        const { buffer } = new TextEncoder().encode(text);
        fire("msg:custom", { kind: JSON.parse(text).kind }, [buffer]);
    };
    const model = {
        get: (name) => traits[name],
        set: (name, value) => { traits[name] = value; fire(`change:${name}`); },
        save_changes() {},
        send: (content) => window.said.push(content),
        on: (event, callback) => listeners.push([event, callback]),
        off() {},
    };
    const view = widget();
    view.initialize({ model });
    view.render({ model, el: document.getElementById("place") });
</script>"""


@pytest.fixture
def session(functions):
    @sf.function("shop/cart", state={"total": int}, functions=functions)
    def cart(ctx, message):
        ctx.storage.total = (ctx.storage.total or 0) + message.value

    with sf.start(port=0, functions=functions) as found:
        found.send_many([("shop/cart", name, 1) for name in ("ann", "bob")])
        found.wait_idle()
        yield found


class Host(Page):
    """Carries messages between the kernel's side and the frame."""

    def __init__(self, widget, frame):
        super().__init__(widget)
        self.frame = frame
        self.acknowledges = False  # the frame does
        self.given = 0

    def until(self, condition):
        end = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < end, self.frame.inner_text("body")[:500]
            for content in self.frame.evaluate("window.said?.splice(0) ?? []"):
                self.widget._handle_custom_msg(content, [])
            while self.given < len(self.messages):
                text = json.dumps(self.messages[self.given])
                self.frame.evaluate("text => window.hear(text)", text)
                self.given += 1
            self.frame.wait_for_timeout(20)


@pytest.mark.parametrize("host", HOSTS)
def test_it_is_live_in_a_frame_of(host, session, page, monkeypatch):
    monkeypatch.setattr(comm, "create_comm", RecordingComm)
    widget = session.dashboard()
    sandbox, policy = HOSTS[host]
    traits: dict[str, object] = {"kind": "dashboard", "typename": "", "id": "", "filter": ""}
    traits |= {"selected": 0, "pane": "invocations", "picture": "none"}
    bodies = {
        "/frame.html": ("text/html", FRAME.replace("TRAITS", json.dumps(traits))),
        "/dashboard.js": ("text/javascript", (BUNDLE / "dashboard.js").read_text()),
        "/dashboard.css": ("text/css", (BUNDLE / "dashboard.css").read_text()),
        "/": (
            "text/html",
            f'<iframe sandbox="{sandbox}" src="/frame.html" width="820" height="700">',
        ),
    }

    def answer(route):
        kind, body = bodies[route.request.url.removeprefix("http://host.test")]
        headers = {"Content-Type": kind, "Access-Control-Allow-Origin": "*"}
        if kind == "text/html" and "frame" in route.request.url:
            headers["Content-Security-Policy"] = policy
        route.fulfill(headers=headers, body=body)

    refused: list[str] = []
    page.on("console", lambda line: refused.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: refused.append(str(error)))
    page.route("http://host.test/**", answer)
    page.goto("http://host.test/")
    frame = page.frame(url="http://host.test/frame.html")
    seen = Host(widget, frame)
    rows = frame.locator(".sf-line")
    seen.until(lambda: rows.count() == 2)
    session.send("shop/cart", "carol", 5)
    seen.until(lambda: rows.count() == 3)
    rows.first.click()
    seen.until(lambda: frame.locator(".sf-detail", has_text="total: 5").count() == 1)
    frame.get_by_role("button", name="Pause").click()
    seen.until(lambda: session.engine.paused)
    for pane in PANES:
        frame.get_by_role("tab", name=pane, exact=True).click()
        seen.until(lambda: frame.get_by_role("tabpanel").count() == 1)
    assert refused == []
