"""How the documentation is built: Markdown pages, and a reference from the docstrings. Needs no network."""

import builtins
from importlib.metadata import version as installed_version

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

from circleci_async import ArtifactStream, Paged
from circleci_async.endpoints.group import Group
from circleci_async.testing import Fault, accounts, builds, jobs, projects, world

project = "circleci_async"
author = "circleci_async contributors"
copyright = f"2026, {author}"
release = version = installed_version("circleci-async")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"circleci_async {release}"
html_copy_source = False
smartquotes = False  # what docstrings quote is code

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Docstrings put code between single backticks, as Markdown does.
default_role = "code"

autodoc_default_options = {"members": True, "undoc-members": True}
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
maximum_signature_line_length = 100
add_module_names = False

# The records of a test world name each other in their annotations, and import each other for type checkers only.
_records = (accounts, builds, jobs, projects, world)
_classes = {
    name: value
    for module in _records
    for name, value in vars(module).items()
    if getattr(value, "__module__", "").startswith("circleci_async.testing") and isinstance(value, type)
}
for _module in _records:
    vars(_module).update({name: value for name, value in _classes.items() if not hasattr(_module, name)})


def setup(app: Sphinx) -> None:
    """Leave out how things are made that only the package makes, and take `bytes` for what it is."""
    app.connect("autodoc-process-signature", _without_constructor)
    app.connect("doctree-read", _without_links_from_builtins)


def _without_constructor(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str, returns: str
) -> tuple[str, str] | None:
    by_the_package = (Exception, Group, Paged, ArtifactStream, Fault, *_classes.values())
    is_one = isinstance(obj, type) and obj is not world.World and issubclass(obj, by_the_package)
    return ("", "") if is_one and signature else None


def _without_links_from_builtins(app: Sphinx, page: nodes.document) -> None:
    """Let `bytes` in a signature not be a link to some class's attribute `bytes`."""
    for link in list(page.findall(pending_xref)):
        if link.get("refdomain") == "py" and hasattr(builtins, link.get("reftarget", "")):
            link.replace_self(link.children)
