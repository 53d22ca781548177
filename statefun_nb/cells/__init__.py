"""Cells of a notebook: the arguments of magics, and functions of which a cell is the body."""
