"""The files of a project that goes on where a notebook ended; text only."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Sequence

from ..module_yaml import KAFKA_EGRESS, KAFKA_INGRESS, KAFKA_PLACE, Document
from ..protocol.records import KAFKA_RECORD
from ..trace.events import Invocation

__all__ = ["kafka_documents", "project_files"]

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
| tests/ | what was tried in the notebook: {cases} recorded invocations |

```
python -m pip install -r requirements.txt pytest
python -m pytest                     # does each invocation still do what it did?
{serve}# serves them where module.yaml says
statefun-nb cluster up module.yaml   # the real StateFun and Kafka, in Docker, which calls them
```

statefun_nb itself comes from where the notebook's did: a checkout, or a wheel made of one.

Messages come in by the Kafka topics that module.yaml names, and records go out to theirs. The key
of a message is the id of the instance; its value is what the type writes, such as
`sf.StringType.serializer().serialize("hello")`, and not the bare text.

For a cluster of your own: change `urlPathTemplate` in module.yaml to where the functions are
served, and the addresses of Kafka (`{{kafka}}` stands for that of `statefun-nb cluster up`).
"""


def project_files(code: str, registry: str | None, module_yaml: str, cases: int) -> dict[str, str]:
    """The text of each file but the recorded invocations, by its path in the project.

    Parameters
    ----------
    code : str
        The module that declares the functions.
    registry : str or None
        The name of the ``StatefulFunctions`` in it; None when ``sf.function`` filled the default.
    cases : int
        How many invocations are recorded.
    """
    import_ = f"from functions import {registry}" if registry else "import functions  # noqa: F401"
    target = f"functions:{registry}" if registry else "functions"
    return {
        "functions.py": code,
        "module.yaml": module_yaml,
        "requirements.txt": "".join(f"{each}\n" for each in _requirements(code)),
        "pytest.ini": "[pytest]\npythonpath = .\ntestpaths = tests\n",
        "tests/test_recorded.py": _TESTS.format(import_=import_, registry=registry or ""),
        "README.md": _README.format(cases=cases, serve=f"statefun-nb serve {target}".ljust(37)),
    }


def _requirements(code: str) -> list[str]:
    """The distributions that the code imports, in the versions that are installed here."""
    from importlib import metadata  # 10 ms that most notebooks need not wait for

    imported: set[str] = {"statefun_nb"}
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imported.add((node.module or "").partition(".")[0])
    known = metadata.packages_distributions()
    names = {
        name
        for module in imported - set(sys.stdlib_module_names) - {"statefun_nb"}
        for name in known.get(module, ())
    }
    return [
        f"statefun_nb=={metadata.version('statefun_nb')}",
        *sorted(f"{n}=={metadata.version(n)}" for n in names),
    ]


def kafka_documents(
    documents: Sequence[Document], invocations: Iterable[Invocation]
) -> list[Document]:
    """What brought the recorded messages in, and took their records, as ingress and egresses.

    An egress for each that Kafka records went to and that no document declares. An ingress, when no
    document declares one, with a topic for each function and type of message from outside.
    """
    declared = {document.spec.get("id") for document in documents if document.is_egress}
    egresses: set[str] = set()
    inputs: dict[str, set[str]] = {}
    for each in invocations:
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
