"""Python and the page read a filter alike: js/tests/filter.test.ts has the same list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import statefun_nb as sf
from statefun_nb.views.filters import check_filter

FILTERS = json.loads((Path(__file__).parent / "filters.json").read_text())


@pytest.mark.parametrize("text", FILTERS["understood"])
def test_what_the_page_understands_is_taken(text):
    check_filter(text)


@pytest.mark.parametrize("text", FILTERS["problems"])
def test_what_the_page_does_not_understand_is_an_error(text):
    with pytest.raises(sf.SessionError, match=r"^filter: "):
        check_filter(text)
