"""Sphinx configuration. Built with `sphinx-build -W docs docs/_build`: every warning is an error."""

import tomllib
from pathlib import Path

from powershare import __version__

_PROJECT = tomllib.loads((Path(__file__).resolve().parents[1] / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]

project = "powershare"
author = _PROJECT["authors"][0]["name"]
copyright = f"2026, {author}"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "pictures", "diagrams"]
source_suffix = {".md": "markdown"}
nitpicky = False

html_theme = "furo"
html_title = f"powershare {__version__}"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# One line per member in the class docstring is enough: attrs writes the constructors.
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
