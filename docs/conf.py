"""How Sphinx builds these pages: ``make docs``.

Any warning, such as a dead link, fails it, and so does a public name without documentation.
"""

from __future__ import annotations

import inspect

import statefun_nb

_objects = {name: getattr(statefun_nb, name) for name in statefun_nb.__all__}
_undocumented = [
    name
    for name, found in _objects.items()
    if (inspect.isclass(found) or inspect.isfunction(found)) and not inspect.getdoc(found)
]
if _undocumented:
    raise SystemExit(f"without documentation: {', '.join(_undocumented)}")

project = "statefun_nb"
author = "the statefun_nb authors"
release = version = statefun_nb.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["plan.md", "_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nitpicky = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say it in words
napoleon_google_docstring = False
html_theme = "furo"
html_title = "statefun_nb"
html_copy_source = False
