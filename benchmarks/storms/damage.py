"""Files of ``durable=`` damaged at random: one that opens has what was written, or is refused.

python -m benchmarks.storms.damage [FILES] [--seed N]
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import statefun_nb as sf
from statefun_nb.engine.sqlite_store import SqliteStore

__all__ = ["damage", "made", "outcome"]

_ADDRESSES = 400
_BLOCK = 4096
_NAME = "kept.db"
# How often each of the files is the one that is damaged.
_WEIGHTS = {"": 10, "-wal": 8, "-last": 1, "-shm": 1}


def made(folder: Path) -> tuple[list[Path], list[Any]]:
    """Two folders with the files of one session, ended and as a kill leaves them; what they hold.

    All kinds of content are in them: state, messages that wait, delayed ones, egress records.
    """
    functions = sf.StatefulFunctions()

    @sf.function("d/count", state={"n": int, "text": str}, functions=functions)
    def count(ctx: sf.Context, message: sf.Message) -> None:
        ctx.storage.n = (ctx.storage.n or 0) + 1
        ctx.storage.text = str(message.value) * ctx.storage.n
        ctx.send("d/undeclared", ctx.address.id, ctx.storage.n)
        ctx.send_after(timedelta(days=365), "d/count", ctx.address.id, "later", token="t")  # noqa: S106
        ctx.cancel_delayed_message("other")
        ctx.send_egress(sf.egress_message_builder("d/out", ctx.storage.text, str))

    ended, killed = folder / "ended", folder / "killed"
    ended.mkdir()
    with sf.start(port=0, functions=functions, durable=ended / _NAME) as session:
        messages = [
            ("d/count", f"u{n}", f"text {n} " * (800 if n % 40 == 0 else 1))  # more than a page
            for n in range(_ADDRESSES)
        ]
        session.send_many(messages, progress=False)
        session.wait_idle(timers=False)
    content = content_of(ended / _NAME)  # its waiting messages are parked, and change no more
    assert all(content)  # nothing of it is empty
    shutil.copytree(ended, killed)
    with sf.start(port=0, functions=functions, durable=killed / _NAME) as session:
        session.send("d/count", "another", "x")
        session.wait_idle(timers=False)
        shutil.copytree(killed, folder / "copy")
    shutil.rmtree(killed)
    (folder / "copy").rename(killed)
    whole = folder / "whole"
    shutil.copytree(killed, whole)
    return [ended, killed], [content, content_of(whole / _NAME)]


def content_of(path: Path) -> Any:
    """All that is in a file."""
    store = SqliteStore(str(path), "system")
    try:
        with store.reading():
            rows = (store.specs(), store.values(), store.mail(), store.timers(), store.egress())
            return [list(each) for each in rows]
    finally:
        store.close()


def _flip(data: bytearray, choose: random.Random) -> None:
    data[choose.randrange(len(data))] ^= 1 << choose.randrange(8)


def _bytes(data: bytearray, choose: random.Random) -> None:
    start = choose.randrange(len(data))
    end = min(len(data), start + choose.randint(1, 64))
    data[start:end] = choose.randbytes(end - start)


def _head(data: bytearray, choose: random.Random) -> None:
    """Where a page begins is what the rest of it hangs on."""
    start = choose.randrange(len(data)) // _BLOCK * _BLOCK
    data[min(len(data) - 1, start + choose.randrange(128))] = choose.randrange(256)


def _zeros(data: bytearray, choose: random.Random) -> None:
    size = choose.choice((512, _BLOCK))
    start = choose.randrange(len(data)) // size * size
    data[start : start + size] = bytes(len(data[start : start + size]))


def _cut(data: bytearray, choose: random.Random) -> None:
    del data[choose.randrange(len(data)) :]


def _grown(data: bytearray, choose: random.Random) -> None:
    data += choose.randbytes(choose.randint(1, 2 * _BLOCK))


def _block_of(data: bytearray, choose: random.Random) -> slice:
    start = choose.randrange(max(1, len(data) // _BLOCK)) * _BLOCK
    return slice(start, min(len(data), start + _BLOCK))


def _copied(data: bytearray, choose: random.Random) -> None:
    """A block that was written in the place of another one."""
    source = bytes(data[_block_of(data, choose)])
    start = _block_of(data, choose).start
    data[start : start + len(source)] = source


def _swapped(data: bytearray, choose: random.Random) -> None:
    one, other = _block_of(data, choose), _block_of(data, choose)
    if one.stop - one.start == other.stop - other.start:
        data[one], data[other] = data[other], data[one]


_KINDS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip, _flip, _bytes, _bytes, _head, _head, _zeros, _cut, _grown, _copied, _swapped,
)  # fmt: skip


# What is read of the header first may look like a file of another kind, or of another version.
_WAYS_OUT = ("put a backup", "is a database of something else", "was written in format")


def outcome(whole: Path, content: Any, folder: Path, choose: random.Random) -> tuple[str, str]:
    """Damage a copy of one of the files in ``whole``, and open it: kind of damage, what came of it.

    "right": it opened, with what was written. "refused": by an EngineError with the way out.
    Whatever else is not as it should be.
    """
    copy = folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(whole, copy)
    names = [each for each in _WEIGHTS if (copy / f"{_NAME}{each}").exists()]
    end = choose.choices(names, [_WEIGHTS[each] for each in names])[0]
    damaged = copy / f"{_NAME}{end}"
    kind = choose.choice(_KINDS)
    data = bytearray(damaged.read_bytes())
    before = bytes(data)
    kind(data, choose)
    damaged.write_bytes(data)
    name = f"{end or '.db'}: {kind.__name__.lstrip('_')}"
    if data == before:
        return name, "right"
    try:
        found = content_of(copy / _NAME)
    except sf.EngineError as error:
        return name, "refused" if any(each in str(error) for each in _WAYS_OUT) else str(error)
    except BaseException as error:
        return name, f"{type(error).__name__}: {error}"
    return name, "right" if found == content else "OTHER CONTENT"


def damage(files: int, seed: int = 0) -> Counter[tuple[str, str]]:
    """So many damaged files: how often each damage came to what."""
    choose = random.Random(seed)  # noqa: S311 - the same ones again, by their seed
    counted: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wholes, contents = made(folder)
        for number in range(files):
            which = number % 2
            counted[outcome(wholes[which], contents[which], folder, choose)] += 1
    return counted


def main() -> None:
    """Damage files, and print what came of it."""
    parser = argparse.ArgumentParser(prog="damage", description=__doc__)
    parser.add_argument("files", nargs="?", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    counted = damage(options.files, options.seed)
    for (kind, came), count in sorted(counted.items()):
        print(f"{count:6,}  {kind:20} {came}")
    total = Counter[str]()
    for (_, came), count in counted.items():
        total[came if came in ("right", "refused") else "wrong"] += count
    print(dict(total))
    raise SystemExit(total["wrong"] > 0)


if __name__ == "__main__":
    main()
