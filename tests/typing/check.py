"""mypy and pyright on users' code: errors at the lines that end in "# error", and no others."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("user_*.py"))


def expected() -> set[tuple[str, int]]:
    return {
        (path.name, number)
        for path in FILES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if line.endswith("# error")
    }


def output(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command, *map(str, FILES)],
        capture_output=True,
        text=True,
        check=False,
        cwd=HERE.parent.parent,
    )
    if done.returncode not in (0, 1):
        sys.exit(done.stdout + done.stderr)
    return done.stdout


def mypy() -> dict[tuple[str, int], str]:
    found = re.findall(r"(\w+\.py):(\d+): error: (.*)", output("mypy", "--strict"))
    return {(name, int(line)): message for name, line, message in found}


def pyright() -> dict[tuple[str, int], str]:
    found = json.loads(output("pyright", "--outputjson", "--pythonpath", sys.executable))
    return {
        (Path(each["file"]).name, each["range"]["start"]["line"] + 1): each["message"]
        for each in found["generalDiagnostics"]
        if each["severity"] == "error"
    }


def main() -> int:
    wrong = []
    for checker in (mypy, pyright):
        found = checker()
        for name, line in sorted(found.keys() ^ expected()):
            said = found.get((name, line), "nothing, but an error is expected")
            wrong.append(f"{name}:{line}: {checker.__name__} says: {said}")
    print("\n".join(wrong) or f"typing: {len(expected())} mistakes are found, and nothing else")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
