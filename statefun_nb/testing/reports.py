"""What was graded, for people and programs: a table, JSON, JUnit's XML, pages of feedback."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from xml.etree import ElementTree as ET

from ..tables import counted, text_table
from .grading import Exercise, Graded, Raised, writable

__all__ = ["as_json", "as_junit", "as_table", "feedback_page", "feedback_pages", "names_of"]

_SIGNS = {"passed": "✓", "failed": "✗", "error": "✗", "not reached": "·"}

_STYLE = """
:root { color-scheme: light dark; --pass: #1a7f37; --miss: #b3261e; --rest: #57606a }
@media (prefers-color-scheme: dark) { :root { --pass: #4ac26b; --miss: #ff8a80; --rest: #9aa4ae } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem; margin-bottom: 0 } h2 { font-size: 1.1rem; margin-top: 2rem }
.points { font-size: 1.1rem; margin-top: .2rem }
ol { list-style: none; padding: 0 }
li { border-left: 4px solid var(--rest); padding: .2rem .8rem; margin: .7rem 0 }
li.passed { border-color: var(--pass) } li.failed, li.error { border-color: var(--miss) }
b.passed { color: var(--pass) } b.failed, b.error { color: var(--miss) }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .9rem; margin: .3rem 0 }
"""


def names_of(graded: Sequence[Graded], folder: Path) -> list[str]:
    """What tells the notebooks apart: their folders where each has its own, or their paths.

    They can be written: of a name that is not UTF-8 the bytes stand there escaped.
    """
    paths = [each.notebook.relative_to(folder) for each in graded]
    folders = [str(path.parent) for path in paths]
    if len(set(folders)) == len(folders) and "." not in folders:
        return list(map(writable, folders))
    return [writable(str(path.with_suffix(""))) for path in paths]


def as_table(graded: Sequence[Graded], names: Sequence[str]) -> str:
    """A row for each notebook, a column for each exercise."""
    columns = _exercises(graded)
    rows = []
    for name, each in zip(names, graded, strict=True):
        found = {exercise.name: exercise for exercise in each.exercises}
        signs = [_SIGNS[found[column].outcome] if column in found else "" for column in columns]
        rows.append([name, _points(each.points, each.of), *signs, each.problem])
    head = ["notebook", "points", *columns, "problem"]
    return text_table(counted(len(graded), "notebook"), head, rows, 500)


def as_json(graded: Sequence[Graded], names: Sequence[str]) -> str:
    """All that is known, as JSON."""
    return json.dumps(
        [
            {
                "name": name,
                "notebook": writable(str(each.notebook)),
                "points": each.points,
                "of": each.of,
                "problem": each.problem,
                "seconds": round(each.seconds, 1),
                "without_network": each.without_network,
                "exercises": [exercise._asdict() for exercise in each.exercises],
                "errors": [raised._asdict() for raised in each.errors],
            }
            for name, each in zip(names, graded, strict=True)
        ],
        indent=1,
    )


def as_junit(graded: Sequence[Graded], names: Sequence[str]) -> str:
    """A test suite for each notebook, a test case for each exercise."""
    root = ET.Element("testsuites")
    for name, each in zip(names, graded, strict=True):
        exercises = each.exercises
        if each.problem and not exercises:  # it could not even be read
            exercises = [Exercise(writable(each.notebook.name), "error", 0, 0, each.problem)]
        missed = sum(exercise.outcome == "failed" for exercise in exercises)
        passed = sum(exercise.outcome == "passed" for exercise in exercises)
        suite = ET.SubElement(
            root,
            "testsuite",
            name=name,
            tests=str(len(exercises)),
            failures=str(missed),
            errors=str(len(exercises) - missed - passed),
            time=f"{each.seconds:.1f}",
        )
        for exercise in exercises:
            case = ET.SubElement(suite, "testcase", classname=name, name=exercise.name)
            if exercise.outcome != "passed":
                kind = "failure" if exercise.outcome == "failed" else "error"
                words = _clean(exercise.words or exercise.outcome)
                ET.SubElement(case, kind, message=words, type=exercise.outcome)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True)


def feedback_page(each: Graded, name: str) -> str:
    """A page for who wrote a notebook: what passed, what did not, and why."""
    exercises = "\n".join(_item(exercise) for exercise in each.exercises)
    problem = f'<p><b class="failed">{escape(_clean(each.problem))}</b></p>' if each.problem else ""
    raised = "\n".join(map(_error, each.errors))
    errors = f"<h2>Errors, cell by cell</h2>\n{raised}" if each.errors else ""
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(name)}</title><style>{_STYLE}</style></head>
<body><h1>{escape(name)}</h1>
<p class="points">{_in_words(each.points, each.of)}</p>
{problem}
<ol>
{exercises}
</ol>
{errors}
</body></html>
"""


def feedback_pages(graded: Sequence[Graded], names: Sequence[str], folder: Path) -> dict[Path, str]:
    """A page for each notebook, under its name."""
    pages = zip(names, graded, strict=True)
    return {folder / f"{name}.html": feedback_page(each, name) for name, each in pages}


def _item(exercise: Exercise) -> str:
    outcome = exercise.outcome
    kind, name = outcome.replace(" ", "-"), escape(_clean(exercise.name))
    words = f"<pre>{escape(_clean(exercise.words))}</pre>" if exercise.words else ""
    return (
        f'<li class="{kind}"><b class="{kind}">{_SIGNS[outcome]} {name}</b>'
        f" {outcome}, {_in_words(exercise.points, exercise.of)}{words}</li>"
    )


def _error(raised: Raised) -> str:
    title = "A check that was gone" if raised.cell is None else f"Cell {raised.cell}"
    line, text = escape(_clean(raised.line)), escape(_clean(raised.text))
    return f"<h3>{title}: <code>{line}</code></h3><pre>{text}</pre>"


def _exercises(graded: Iterable[Graded]) -> list[str]:
    """The names of all exercises, in the order in which they are written."""
    return list(dict.fromkeys(exercise.name for each in graded for exercise in each.exercises))


def _in_words(got: float, of: float) -> str:
    return f"{_points(got, of)} {'point' if of == 1 else 'points'}"


def _points(got: float, of: float) -> str:
    return f"{got:g} of {of:g}"


def _clean(text: str) -> str:
    """Without the control characters that neither XML nor a page can hold."""
    return "".join(c if c in "\n\t" or c.isprintable() else "�" for c in text)
