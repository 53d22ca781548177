"""The arguments of a magic, without a notebook."""

from __future__ import annotations

import pytest

from statefun_nb.cells.arguments import HelpShown, UsageError, cell_parser, parse


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "typename"),
        ("a/b 'x", "No closing quotation"),
        ("a/b --sta", "--sta"),
        ("a b c", "b c"),
    ],
)
def test_a_line_that_is_not_as_it_should_be_is_a_usage_error(line, says):
    with pytest.raises(UsageError, match=says):
        parse(cell_parser(), line)


def test_help_ends_nothing_but_the_magic(capsys):
    with pytest.raises(HelpShown):
        parse(cell_parser(), "--help")
    assert "namespace/name of the function" in capsys.readouterr().out
