"""Reading a module.yaml, by safe load only; errors name the line.

The grammar is that of StateFun 3.x: YAML documents of ``kind`` and ``spec``. What was before, one
document of ``version`` and ``module``, is read, too, and becomes such documents
(``module_older.py``, and ``module_older_writer.py`` the other way).
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ..address import parse_typename
from ..errors import DeclarationError
from ..tables import shown
from .module_kinds import FIELDS, KINDS, names_of
from .module_nodes import LineError, has_not, line_of, lines_of, pairs, settings_of, value_of
from .module_older import OLDER_KEYS, parts_of_module
from .module_yaml import KAFKA_PLACE, MODULE_YAML, Document

__all__ = ["LONGEST", "ignored", "read_module", "read_source"]


def read_source(source: str | Path, broker: str = "") -> list[Document]:
    """``read_module`` of a path, or of a text of several lines.

    ``{kafka}`` in it stands for the address of a cluster's broker, where there is one.

    Raises
    ------
    DeclarationError
        As ``read_module``, with the name of the file.
    OSError, ValueError
        When there is no such file, or it is not UTF-8.
    """
    if isinstance(source, str) and "\n" in source:
        text, file = source, MODULE_YAML
    else:
        file = Path(source).name
        with Path(source).open(encoding="utf-8") as opened:
            text = opened.read(LONGEST + 1)  # of a file of 100 MB no more is read
    try:
        documents = read_module(text.replace(KAFKA_PLACE, broker) if broker else text, file)
    except DeclarationError as error:
        if file.lower().endswith((".yaml", ".yml")):
            raise
        raise DeclarationError(f"{file} is no module.yaml ({error})") from error
    if not documents:
        raise DeclarationError(f"{file} is empty: a module.yaml has documents with kind: and spec:")
    return documents


def read_module(text: str, file: str = MODULE_YAML) -> list[Document]:
    """Read a module.yaml; empty documents are skipped, as StateFun does.

    Parameters
    ----------
    text : str
    file : str
        What errors call it.

    Raises
    ------
    DeclarationError
        When it is no YAML, or a document is of no known kind, lacks something, or has something
        that its kind does not know. The message names the line.
    """
    try:
        return [document._replace(file=file) for document in _check_once(_documents(text))]
    except LineError as wrong:
        raise DeclarationError(f"{file}, line {wrong.line}: {wrong}") from wrong.__cause__


def ignored(documents: Iterable[Document]) -> str:
    """What to warn of: what is in the documents, and without an effect; "" when nothing is."""
    found = [(document.file, note) for document in documents for note in document.notes]
    if not found:
        return ""
    notes = "; ".join(note for _, note in found)
    return f"{found[0][0]}: what StateFun does not know, it ignores: {notes}"


def _documents(text: str) -> list[Document]:
    import yaml

    if len(text) > LONGEST:
        raise LineError(1, f"it has {len(text):,} characters: {LONGEST:,} are the most")
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, mostly there
    try:
        _check_size(yaml.parse(text, loader))
        nodes = [node for node in yaml.compose_all(text, loader) if node is not None]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        raise LineError(line, str(problem)) from error
    documents: list[Document] = []
    for node in nodes:
        value = value_of(node)
        if isinstance(value, dict) and "kind" not in value and OLDER_KEYS & value.keys():
            for kind, spec, part, settings, notes in parts_of_module(node):
                document = Document(kind, spec, line_of(part), notes=notes, settings=settings)
                documents.append(_checked(document, lines_of(part), part))
        elif value is not None:
            documents.append(_document(value, node))
    return documents


def _check_once(documents: list[Document]) -> list[Document]:
    """The documents, when no name has two: StateFun does not start with such a module.yaml."""
    lines: dict[tuple[str, str], int] = {}
    for document in documents:
        role, name = document.key
        if document.key in lines:  # the lines may be one: of a list in brackets, or by an alias
            first = lines[document.key]
            raise LineError(
                document.line, f"the {role} {name} is declared twice, in line {first} too"
            )
        lines[document.key] = document.line
    return documents


# A module.yaml has some kilobytes and five levels. Characters, levels and nodes:
LONGEST = 1 << 20
_DEEPEST = 50
_MOST_NODES = 30_000


def _check_size(events: Iterable[Any]) -> None:
    """Raise for what is nested too deep to be read, or has aliases of aliases without end."""
    import yaml

    sizes: dict[str, int] = {}  # nodes below each anchor, those behind aliases counted again
    open_nodes: list[tuple[str | None, int]] = []  # anchor, and the count before it
    count = 0
    for event in events:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            # Within what it names: it would have no end.
            count += sizes.get(str(event.anchor), _MOST_NODES + 1)
        elif isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, count))
            count += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor is not None:
                sizes[anchor] = count - before
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            if event.anchor is not None:
                sizes[event.anchor] = 1
        if len(open_nodes) > _DEEPEST:
            raise LineError(line, f"it is nested deeper than {_DEEPEST} levels")
        if count > _MOST_NODES:
            raise LineError(line, f"it has more than {_MOST_NODES:,} values, those of aliases too")


def _document(value: Any, node: Any) -> Document:
    lines = lines_of(node)
    start = line_of(node)
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        raise LineError(start, "a document has a kind: and a spec:")
    kind, spec = value["kind"], value.get("spec")
    fields = KINDS.get(kind)
    if fields is None:
        raise LineError(lines["kind"], f"unknown kind {kind!r}; known are {', '.join(KINDS)}")
    if not isinstance(spec, dict):
        raise LineError(start, f"{kind} has no spec:")
    notes = tuple(
        has_not(lines.get(key, start), "a document", key, ("kind", "spec"))
        for key in value
        if key not in ("kind", "spec")
    )
    spec_node = dict(pairs(node))["spec"]
    document = Document(kind, spec, start, notes=notes, settings=settings_of(spec_node))
    return _checked(document, lines_of(spec_node), node)


def _checked(document: Document, lines: dict[str, int], node: Any) -> Document:
    """The document, when its spec has all that its kind needs; what else it has is noted."""
    kind, spec, start = document.kind, document.spec, document.line
    missing = sorted(FIELDS[kind].required - spec.keys())
    if missing:
        line = lines_of(node).get("spec", start)
        text = f"the spec of {kind} lacks {', '.join(missing)}{_stands_there(missing, lines)}"
        raise LineError(line, text)
    names = names_of(kind)
    notes = tuple(
        has_not(lines.get(key, start), kind, key, names) for key in spec if key not in names
    )
    for key, wanted in _SHAPES.items():
        if key in spec:
            _check_shape(document, spec[key], wanted, key)
    timeouts = spec.get("transport", {}).get("timeouts")
    if timeouts is not None:  # without a value it is as if it was left out
        _check_shape(document, timeouts, dict, "transport", "timeouts")
    _check_names(document, lines)
    return document._replace(notes=document.notes + notes)


# Of settings that are used here; the others are the runtime's.
_SHAPES: dict[str, type] = {
    "urlPathTemplate": str,
    "address": str,
    "transport": dict,
    "timeouts": dict,
}


def _check_shape(document: Document, value: Any, wanted: type, *path: str) -> None:
    if not isinstance(value, wanted):
        name, line = document.setting(*path)
        what = "text" if wanted is str else "names and values"
        raise LineError(line, f"{name}: takes {what}, not {shown(value)}")


def _stands_there(missing: Iterable[str], found: Iterable[str]) -> str:
    """What stands there in the place of what is missing, as far as the names are alike."""
    pairs = ((name, get_close_matches(name, map(str, found), 1)) for name in missing)
    return "".join(f"; {near[0]!r} stands there, for {name!r}" for name, near in pairs if near)


def _check_names(document: Document, lines: dict[str, int]) -> None:
    key = "functions" if document.is_endpoint else "id"
    name = document.spec.get(key)
    if name is None:
        return
    try:
        # ns/* is the only wildcard; as a name, a star is as good as any letter.
        namespace, local = parse_typename(name)
        if "*" in namespace or ("*" in local and (key == "id" or local != "*")):
            raise DeclarationError(f"{name!r}: the only wildcard is 'namespace/*', for functions")
    except DeclarationError as error:
        raise LineError(lines.get(key, document.line), str(error)) from error
