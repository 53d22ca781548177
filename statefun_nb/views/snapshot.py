"""The static picture of a session: HTML without scripts, for where there is no kernel."""

from __future__ import annotations

from html import escape

from ..sdk.registry import decode_state
from ..tables import counted, html_table
from ..trace.events import Invocation
from ..trace.flows import Flows
from ..trace.reader import read_batch
from .graph_svg import graph_image
from .rows import short_id
from .source import Source
from .tree import preview

__all__ = ["snapshot_fragment", "snapshot_page", "summary"]

_INVOCATIONS = 20
# Who sent to whom is counted among so many of the newest, as many as are kept by default.
_COUNTED = 10_000
_ADDRESSES = 20
_TYPES = 8
# Of so many parked addresses, which take 0.1 s, the first and the last are shown.
_PARKED = 10_000

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
<style>
:root {{ color-scheme: light dark }}
body {{ font: 14px/1.4 system-ui, sans-serif; margin: 2rem; max-width: 70rem }}
table {{ border-collapse: collapse; margin: 1rem 0 }}
caption {{ font-weight: 600; padding: .3rem 0 }}
th, td {{ border-bottom: 1px solid #8886; padding: .2rem .6rem; text-align: left;
          vertical-align: top }}
caption, th {{ white-space: nowrap }}
td {{ max-width: 16rem; overflow-wrap: break-word }}
td:last-child {{ max-width: 40rem }}
</style></head><body><h1>{title}</h1>{body}</body></html>
"""

# A view whose kernel has ended has a line of text in its place, which says that it has no model.
_HIDE_DEAD_VIEW = (
    "<style>.jp-OutputArea-child:has(> .jupyter-widgets:not(:has(*)))"
    ":has(+ .jp-OutputArea-child .{name}){{display:none}}</style>"
)


def snapshot_page(source: Source) -> str:
    """One self-contained HTML page."""
    return _PAGE.format(title="StateFun session", body=snapshot_fragment(source))


def snapshot_fragment(source: Source, kind: str = "dashboard", name: str = "") -> str:
    """The picture as it goes into a notebook's output; ``name`` is the view that replaces it."""
    newest, flows = _look(source)
    parts = [f"<p>{escape(summary(source, sum(flows.repaired.values())))}</p>"]
    if kind in ("dashboard", "graph"):
        if source.recorder.kept > _COUNTED:
            parts.append(f"<p>Who sends to whom, in the last {_COUNTED:,} invocations</p>")
        parts.append(graph_image(flows))
    if kind in ("dashboard", "table") and newest:
        parts.append(_invocations(newest, source.recorder.count))
    if kind == "dashboard" and not (status := source.status()).over:
        parts += [_parked(source, status.parked), *_states(source)]
    own = f"statefun-nb-snapshot-{name}"
    if name:
        parts.append(_HIDE_DEAD_VIEW.format(name=own))
    classes = f"statefun-nb-snapshot {own}" if name else ""
    return f'<div class="{classes}">{"".join(parts)}</div>'


def summary(source: Source, repaired: int = 0) -> str:
    """The session in one line; what there is none of is not in it."""
    status = source.status()
    errors = counted(status.errors, "error")
    if repaired:
        errors += " (repaired)" if repaired == status.errors else f" ({repaired:,} repaired)"
    parts = [
        f"StateFun, {status.engine} engine, {status.state}",
        counted(status.traced, "invocation"),
        errors if status.errors else "",
        f"{status.queued:,} queued" if status.queued else "",
        f"{status.parked:,} parked" if status.parked else "",
        f"{status.delayed:,} delayed" if status.delayed else "",
    ]
    return " · ".join(part for part in parts if part)


def _look(source: Source) -> tuple[list[Invocation], Flows]:
    """The newest invocations, and who sent to whom."""
    recorder = source.recorder
    batches = recorder.snapshot(max(0, recorder.count - _COUNTED)).batches
    flows = Flows()
    flows.add(batches)
    newest: list[Invocation] = []
    for batch in reversed(batches):
        start = max(0, batch.invocations - (_INVOCATIONS - len(newest)))
        newest += read_batch(batch, source.recorder.origin, start)
        if len(newest) >= _INVOCATIONS:
            break
    return sorted(newest, key=lambda each: each.seq), flows


def _invocations(newest: list[Invocation], count: int) -> str:
    rows = [
        [
            each.seq,
            each.address.typename,
            short_id(each.address.id),
            preview(each.message.value, 60),
            preview(each.state_after, 60) if each.changed else "",
            len(each.sent) + len(each.delayed) + len(each.egress) + len(each.cancelled),
            _status(each),
        ]
        for each in newest
    ]
    title = f"The last {len(rows)} of {count:,} invocations" if count > len(rows) else "Invocations"
    columns = ["seq", "function", "id", "message", "state", "sent", "status"]
    return html_table(title, columns, rows)


def _status(each: Invocation) -> str:
    if each.error is None:
        return each.status
    text = preview(each.error.text, 80)
    return f"repaired ({text})" if each.repaired else text


def _parked(source: Source, parked: int) -> str:
    """What does not go on, and why; so many addresses are parked."""
    if parked > _PARKED:
        return f"<p>{parked:,} parked addresses: s.parked has them</p>"
    return source.parked._repr_html_() if parked else ""


def _states(source: Source) -> list[str]:
    tables = []
    for typename, count in list(source.engine.types().items())[:_TYPES]:
        _, found = source.engine.page(typename, "", _ADDRESSES)
        spec = source.functions.find(typename)
        decoded = [(each.id, decode_state(spec, each.values)) for each in found]
        names = list(dict.fromkeys(name for _, values in decoded for name in values))
        if not names:
            continue
        rows = [
            [short_id(id_), *(preview(values[n], 60) if n in values else "" for n in names)]
            for id_, values in decoded
        ]
        title = f"State of {typename}"
        if count > len(rows):
            title += f": the newest {len(rows)} of {count:,} addresses"
        tables.append(html_table(title, ["id", *names], rows))
    return tables
