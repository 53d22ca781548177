"""A cell as the body of a function."""

from __future__ import annotations

import pytest

import statefun_nb as sf
from statefun_nb.cells.body import compile_body


def test_an_await_inside_a_nested_function_does_not_make_the_body_async():
    names: dict[str, object] = {}
    body = compile_body("m/f", "async def g():\n    await x\nreturn_value = 1", names)
    assert body(None, None) is None


@pytest.mark.parametrize(
    "body",
    [
        "def count(ctx, message):\n    ctx.storage.n = 1",
        '"""Counts."""\nasync def count(ctx, message):\n    pass\n...',
        "class count:\n    pass",
    ],
)
def test_a_body_that_only_defines_something_is_refused(body):
    with pytest.raises(
        sf.DeclarationError, match=r"m/f: the cell only defines count, .* leave the"
    ):
        compile_body("m/f", body, {})


def test_a_body_may_define_what_it_uses():
    body = compile_body("m/f", "def twice(n):\n    return 2 * n\nmessage.append(twice(2))", {})
    given: list[int] = []
    body(None, given)
    assert given == [4]
