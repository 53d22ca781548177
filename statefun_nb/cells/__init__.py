"""Cells of a notebook: magics' arguments, cells that are functions, where they are, bars below."""
