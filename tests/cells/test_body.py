"""A cell as the body of a function."""

from __future__ import annotations

from statefun_nb.cells.body import compile_body


def test_an_await_inside_a_nested_function_does_not_make_the_body_async():
    names: dict[str, object] = {}
    body = compile_body("m/f", "async def g():\n    await x\nreturn_value = 1", names)
    assert body(None, None) is None
