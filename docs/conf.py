"""How the documentation is built: Markdown pages, and a reference from the docstrings. Needs no network."""

import builtins
import re
from importlib import import_module
from importlib.metadata import version as installed_version
from pkgutil import walk_packages

from docutils.nodes import document
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

import circleci_async.testing
from circleci_async import ArtifactStream, Paged
from circleci_async.endpoints.resource import Group
from circleci_async.testing import FakeCircleCI, RateLimit, World
from circleci_async.testing.state.policies import Verdict

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
_modules = [
    import_module(module.name)
    for module in walk_packages(circleci_async.testing.__path__, "circleci_async.testing.")
    if ".handlers" not in module.name and not module.name.endswith("__main__")
]
_classes = {
    name: value
    for module in _modules
    for name, value in vars(module).items()
    if isinstance(value, type) and value.__module__ == module.__name__ and not getattr(value, "_is_protocol", False)
}
for _module in _modules:
    vars(_module).update({name: value for name, value in _classes.items() if not hasattr(_module, name)})


_DEFAULT = re.compile(r"attr_dict\['(?P<name>\w+)'\]\.default")
"""How the constructor that attrs writes spells a default."""


def setup(app: Sphinx) -> None:
    """Leave out how things are made that only the package makes, show defaults, and don't guess at built-in types."""
    app.connect("autodoc-process-signature", _constructor)
    app.connect("doctree-read", _unlink_builtins)


def _constructor(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str, returns: str
) -> tuple[str, str] | None:
    if not isinstance(obj, type) or not signature:
        return None
    by_the_package = (Exception, Group, Paged, ArtifactStream, *_classes.values())
    by_hand = (FakeCircleCI, RateLimit, Verdict, World)
    if obj not in by_hand and issubclass(obj, by_the_package):
        return "", ""
    fields = {field.name: field for field in getattr(obj, "__attrs_attrs__", ())}
    return _DEFAULT.sub(lambda found: repr(fields[found["name"]].default), signature), returns


def _unlink_builtins(app: Sphinx, doctree: document) -> None:
    """Take the links off built-in types: Sphinx would lead `bytes` to an attribute of this name."""
    for link in list(doctree.findall(pending_xref)):
        if link["refdomain"] == "py" and hasattr(builtins, link["reftarget"]):
            link.replace_self(link.children)
