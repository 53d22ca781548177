"""A page that reports: the live views over a run that has ended, complete in one file."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from typing import Any

from ..cells.progress import progress_bar
from ..errors import SessionError
from ..trace.invocations import Invocations
from .bundle import bundled
from .calls import Calls
from .feed import Feed
from .rows import detail_of, row_of
from .snapshot import snapshot_fragment
from .source import Source

__all__ = ["report_page"]

# Rows of invocations, the newest; and bytes of JSON that their details may take: what is packed
# into the page is about a tenth.
_ROWS = 20_000
_DETAIL_BYTES = 12_000_000
_HISTORIES = 200

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>StateFun: a run of {count} invocations</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
script-src 'sha256-{hash}' blob:; style-src 'unsafe-inline'; img-src data: blob:">
<style>html,body{{height:100%;margin:0;color-scheme:light dark}}{css}
#still{{padding:1rem;visibility:hidden;animation:still 0s 2s forwards}}
@keyframes still{{to{{visibility:visible}}}}</style></head>
<body><div id="view"></div><div id="still"><p>{lacking}</p>{still}</div>
<script type="text/plain" id="data">{data}</script>
<script type="text/plain" id="source">{source}</script>
<script type="module">{script}</script></body></html>
"""
# Payloads are in the page as base64 alone: they cannot end an element, and nothing else may run.
_SCRIPT = """
const text = (id) => document.getElementById(id).textContent;
const bytes = Uint8Array.from(atob(text("source")), (each) => each.charCodeAt(0));
const url = URL.createObjectURL(new Blob([bytes], { type: "text/javascript" }));
const { report } = await import(url);
await report(text("data"), document.getElementById("view"));
document.getElementById("still").remove();
"""
# Seen where no script may run, as on a server that sends a policy against it.
_LACKING = (
    "This page shows the whole run where its script may run, which the server that sent it, or "
    "the browser, does not allow: save it, and open the file. This is the end of the run:"
)


def report_page(source: Source) -> str:
    """One self-contained HTML page; nothing in it can be mistaken for markup.

    Raises
    ------
    SessionError
        When the front-end is not built.
    """
    try:
        script, css = bundled("dashboard.js"), bundled("dashboard.css")
    except ImportError as error:
        raise SessionError(str(error)) from error
    data = gzip.compress(json.dumps(_frozen(source), separators=(",", ":")).encode(), mtime=0)
    return _PAGE.format(
        count=f"{source.recorder.count:,}",
        css=css,
        lacking=_LACKING,
        still=snapshot_fragment(source),
        script=_SCRIPT,
        hash=base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode(),
        data=base64.b64encode(data).decode(),
        source=base64.b64encode(script.encode()).decode(),
    )


def _frozen(source: Source) -> dict[str, Any]:
    calls = Calls(source)

    def ask(name: str, **arguments: Any) -> Any:
        answer = calls.answer({"id": "", "name": name, "arguments": arguments})
        return answer.get("result")

    invocations = Invocations.of(source.recorder)[-_ROWS:]
    update: dict[str, Any] = dict(Feed(source).update() or {})
    rows, details = _rows_and_details(invocations)
    update = {**update, "rows": rows, "waiting": 0, "first": rows[0].seq if rows else 0}
    over = source.status().over
    functions = None if over else ask("functions")
    names = [row["typename"] for row in functions["rows"]] if functions else []
    states = {name: ask("state", typename=name, limit=200) for name in names}
    return {
        "update": _over(update),
        "details": details,
        "states": {name: page for name, page in states.items() if page},
        "histories": _histories(ask, states),
        "timers": (None if over else ask("timers")) or {"now": 0, "total": 0, "rows": []},
        "waiting": (None if over else ask("waiting"))
        or {"typename": "", "id": "", "total": 0, "rows": []},
        "functions": functions or {"rows": []},
    }


def _over(update: dict[str, Any]) -> dict[str, Any]:
    """Nothing can be done to it, and its clock stands still."""
    header = {**update["header"], "editable": False, "ticks": False, "running": [], "health": ""}
    return {**update, "header": {**header, "state": "stopped"}}


def _rows_and_details(invocations: Invocations) -> tuple[list[Any], dict[int, Any]]:
    """The rows of all, and the details of the newest, as many as there is room for."""
    rows: list[Any] = []
    details: dict[int, Any] = {}
    room = _DETAIL_BYTES
    newest_first = reversed(invocations)
    for each in progress_bar(newest_first, total=len(invocations), unit=" invocations"):
        rows.append(row_of(each))
        if room >= 0:
            detail = detail_of(each)
            room -= len(json.dumps(detail))
        if room >= 0:
            details[each.seq] = detail
    return rows[::-1], details


def _histories(ask: Any, states: dict[str, Any]) -> dict[str, Any]:
    addresses = [(name, row["id"]) for name, page in states.items() if page for row in page["rows"]]
    return {
        f"{name}/{id_}": ask("history", typename=name, id=id_)
        for name, id_ in addresses[:_HISTORIES]
    }
