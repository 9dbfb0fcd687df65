"""Sphinx configuration: Markdown pages, and an API reference from the docstrings."""

import builtins
import logging
import re
from enum import Enum
from importlib.metadata import version as installed_version
from typing import Any

from docutils.nodes import document
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

from circleci_async import ArtifactStream, Paged, testing
from circleci_async.endpoints.resource import Resource
from circleci_async.testing import FakeCircleCI, RateLimit, Verdict, World

project = "circleci_async"
author = "circleci_async contributors"
copyright = f"2026, {author}"
release = version = installed_version("circleci-async")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"circleci_async {release}"
html_logo = "images/logo.svg"
html_favicon = "images/logo.svg"
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_sourcelink = False
smartquotes = False  # quotes in docstrings are code

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4

# Notebooks are executed by each build: an error in a cell ends it.
nb_execution_mode = "force"
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_merge_streams = True
logging.getLogger("traitlets").setLevel(logging.WARNING)  # each execution logs a line

# Docstrings mark code with single backticks, as Markdown does.
default_role = "code"

# Inventories in the repository: a build needs no network.
intersphinx_mapping = {
    name: (address, f"inventories/{name}.inv")
    for name, address in {
        "python": "https://docs.python.org/3/",
        "aiohttp": "https://docs.aiohttp.org/en/stable/",
        "attrs": "https://www.attrs.org/en/stable/",
        "cattrs": "https://catt.rs/en/stable/",
    }.items()
}
intersphinx_disabled_reftypes = ["std:*"]  # names in signatures and docstrings link elsewhere; pages do not

copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
copybutton_exclude = ".linenos, .gp, .go"
copybutton_selector = "div:not(.highlight-text) > div.highlight > pre"  # output is not copied

autodoc_default_options = {"members": True, "undoc-members": True}
autodoc_member_order = "bysource"
autodoc_preserve_defaults = False  # values instead of the names of constants
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
maximum_signature_line_length = 100
add_module_names = False

# Classes that users do not instantiate: their signature is not shown.
_CREATED_BY_THE_PACKAGE = (
    Enum,
    Exception,
    Resource,
    Paged,
    ArtifactStream,
    *(value for name in testing.__all__ if isinstance(value := getattr(testing, name), type)),
)
_CREATED_BY_USERS = (FakeCircleCI, RateLimit, Verdict, World)

_DEFAULT = re.compile(r"attr_dict\['(?P<name>\w+)'\]\.default")
"""A default value in the signature of an attrs class."""


def setup(app: Sphinx) -> None:
    """Adjust signatures and links of the API reference, the sidebar, and where notebooks are executed."""
    app.connect("builder-inited", _notebooks_below_build, priority=900)  # after myst_nb's
    app.connect("autodoc-process-signature", _constructor)
    app.connect("doctree-read", _unlink_builtins)
    app.connect("html-page-context", _shared_sidebar, priority=400)  # before furo's


def _notebooks_below_build(app: Sphinx) -> None:
    """Write the images of notebooks below the build: the default is the folder that contains it."""
    folder = app.doctreedir / "notebooks"
    app.env.mystnb_config = app.env.mystnb_config.copy(output_folder=str(folder))  # type: ignore[attr-defined]


def _constructor(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str, returns: str
) -> tuple[str, str] | None:
    """Hide the signatures of classes that only the package instantiates; show the default values of attrs classes."""
    if not isinstance(obj, type) or not signature:
        return None
    if obj not in _CREATED_BY_USERS and issubclass(obj, _CREATED_BY_THE_PACKAGE):
        return "", ""
    fields = {field.name: field for field in getattr(obj, "__attrs_attrs__", ())}
    return _DEFAULT.sub(lambda found: repr(fields[found["name"]].default), signature), returns


def _unlink_builtins(app: Sphinx, doctree: document) -> None:
    """Remove the links of built-in types: Sphinx would link `bytes` to an attribute of this name."""
    for link in list(doctree.findall(pending_xref)):
        if link["refdomain"] == "py" and hasattr(builtins, link["reftarget"]):
            link.replace_self(link.children)


def _shared_sidebar(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: document | None) -> None:
    """Render the sidebar of generated pages once per folder depth: furo renders it for each page of source code."""
    toctree = context.get("toctree")
    if toctree is None or doctree is not None:
        return
    depth = page.count("/")

    def render(**options: Any) -> str:
        if depth not in _SIDEBARS:
            _SIDEBARS[depth] = toctree(**options)
        return _SIDEBARS[depth]

    context["toctree"] = render


_SIDEBARS: dict[int, str] = {}
"""HTML of the sidebar of pages that it does not list, by the number of folders above them."""
