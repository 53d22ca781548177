"""The files of a project that goes on where a notebook ended; text only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..protocol.module_yaml import KAFKA_EGRESS, KAFKA_INGRESS, KAFKA_PLACE, Document
from ..protocol.records import KAFKA_RECORD
from ..trace.events import Invocation
from .modules import Imports

__all__ = ["FILES", "NO_WHEEL", "VENDOR", "Parts", "kafka_documents", "project_files"]

VENDOR = "vendor"
FILES = (
    "functions.py", "module.yaml", "requirements.txt", "pytest.ini", "tests/test_recorded.py",
    "README.md",
)  # fmt: skip
NO_WHEEL = "pip wheel --no-deps -w vendor CHECKOUT, with --find-links vendor in requirements.txt"

_TESTS = '''"""What was tried in the notebook: each line of recorded.jsonl is run again."""

from pathlib import Path

import pytest

{import_}
from statefun_nb.testing import recorded

CASES = recorded(Path(__file__).with_name("recorded.jsonl"))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_does_what_it_did(case):
    case.check({registry})
'''

_README = """# Stateful functions

Exported from a notebook by statefun_nb.

| file | what it is |
|---|---|
| functions.py | the functions, and what they need |
| module.yaml | what StateFun has to know of them: where they are, and where their records go |
| tests/ | what was tried in the notebook: {cases} of its recorded invocations |
{more}
```
python -m pip install -r requirements.txt pytest
python -m pytest                         # does each invocation still do what it did?
{serve}# serves them where module.yaml says
statefun-nb cluster up module.yaml       # the real StateFun and Kafka, in Docker, which calls them
```

{vendored}
{left_out}
Messages come in by the Kafka topics that module.yaml names, and records go out to theirs. The key
of a message is the id of the instance; its value is what the type writes, such as
`sf.StringType.serializer().serialize("hello")`, and not the bare text.

Without `--no-token`, `serve` puts a token into the address, and whoever does not know it calls no
function; the address that it prints is then the `urlPathTemplate` of module.yaml.

For a cluster of your own: change `urlPathTemplate` in module.yaml to where the functions are
served, and the addresses of Kafka (`{{kafka}}` stands for that of `statefun-nb cluster up`).
"""


class Parts(NamedTuple):
    """What a project is made of.

    Attributes
    ----------
    code : str
        The module that declares the functions.
    registry : str or None
        The name of the ``StatefulFunctions`` in it; None when ``sf.function`` filled the default.
    module_yaml : str
    imports : Imports
    package : str
        The requirement of this package.
    wheel : str or None
        The name of its wheel; None when there is none.
    cases : int
        How many invocations are recorded.
    left_out : sequence of str
        Which are not, and why.
    """

    code: str
    registry: str | None
    module_yaml: str
    imports: Imports
    package: str
    wheel: str | None
    cases: int
    left_out: Sequence[str]


def project_files(parts: Parts) -> dict[str, str]:
    """The text of each file but the recorded invocations, by its path in the project."""
    registry = parts.registry
    import_ = f"from functions import {registry}" if registry else "import functions  # noqa: F401"
    return {
        "functions.py": parts.code,
        "module.yaml": parts.module_yaml,
        "requirements.txt": _requirements(parts),
        "pytest.ini": "[pytest]\npythonpath = .\ntestpaths = tests\n",
        "tests/test_recorded.py": _TESTS.format(import_=import_, registry=registry or ""),
        "README.md": _readme(parts),
    }


def _requirements(parts: Parts) -> str:
    lines = [parts.package, *parts.imports.requirements]
    if parts.wheel:
        lines.insert(0, f"--find-links {VENDOR}")
    return "".join(f"{line}\n" for line in lines)


def _readme(parts: Parts) -> str:
    target = f"functions:{parts.registry}" if parts.registry else "functions"
    copied = sorted({name.partition("/")[0] for name in parts.imports.copied})
    more = f"| {', '.join(copied)} | what functions.py imports |\n" if copied else ""
    if parts.wheel:
        more += f"| {VENDOR}/ | statefun_nb itself, which is on no index |\n"
        vendored = f"Take {VENDOR}/ along wherever the functions are installed.\n"
    else:
        vendored = f"statefun_nb is on no index: put a wheel of it into {VENDOR}/ ({NO_WHEEL}).\n"
    notes = "".join(f"{note}.\n" for note in parts.imports.notes)
    left_out = ""
    if parts.left_out:
        left_out = "No tests, because they would not come out the same:\n\n"
        left_out += "".join(f"- {line}\n" for line in parts.left_out)
    return _README.format(
        cases=parts.cases,
        serve=f"statefun-nb serve {target} --no-token ".ljust(41),
        more=more,
        vendored=vendored + notes,
        left_out=left_out,
    )


def kafka_documents(
    documents: Sequence[Document], invocations: Iterable[Invocation]
) -> list[Document]:
    """What brought the recorded messages in, and took their records, as ingress and egresses.

    Of the invocations that went well only: what failed is no way in.

    An egress for each that Kafka records went to and that no document declares. An ingress, when no
    document declares one, with a topic for each function and type of message from outside.
    """
    declared = {document.spec.get("id") for document in documents if document.is_egress}
    egresses: set[str] = set()
    inputs: dict[str, set[str]] = {}
    for each in invocations:
        if each.error is not None:
            continue
        records = [record for record in each.egress if record.payload.typename == KAFKA_RECORD]
        egresses.update(record.egress for record in records)
        if each.caller is None:
            inputs.setdefault(each.address.typename, set()).add(each.message.typename)
    found = [
        Document(KAFKA_EGRESS, {"id": name, "address": KAFKA_PLACE})
        for name in sorted(egresses - declared)
    ]
    if inputs and not any(document.kind.endswith("/ingress") for document in documents):
        found.insert(0, _ingress(inputs))
    return found


def _ingress(inputs: dict[str, set[str]]) -> Document:
    topics = []
    for function, types in sorted(inputs.items()):
        for value_type in sorted(types):
            topic = function.replace("/", ".")
            if len(types) > 1:  # a topic has messages of one type
                topic += "." + value_type.rpartition("/")[2]
            topics.append({"topic": topic, "valueType": value_type, "targets": [function]})
    namespace = min(inputs).partition("/")[0]
    spec = {
        "id": f"{namespace}/in",
        "address": KAFKA_PLACE,
        "consumerGroupId": namespace,
        "startupPosition": {"type": "group-offsets"},
        "autoOffsetResetPosition": "earliest",
        "topics": topics,
    }
    return Document(KAFKA_INGRESS, spec)
