"""The SVG of a chart, made fit for a page: accessible, without repeated ids and with few bytes."""

import re
from typing import Final
from xml.etree import ElementTree as ET

HATCH: Final = "url(#hatch)"
"""The fill of the marks of failed runs: stripes."""

_DROPPED: Final = ("aria-hidden", "aria-roledescription", "role", "pointer-events", "font-family", "stroke-miterlimit")
_LONG_NUMBER: Final = re.compile(r"-?\d+\.\d{2,}")


def finished(svg: str, name: str, label: str, width: int) -> str:
    """Return the SVG of vl-convert as an element for a page.

    `name` makes its ids unique in the page; `label` is its text alternative. The labels of marks become tooltips. It is
    at least `width` pixels wide: fonts of browsers differ from the one that vl-convert measures.
    """
    root = ET.fromstring(re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg, count=2))  # noqa: S314  # made by vl-convert
    for parent in list(root.iter()):
        for element in list(parent):
            if element.tag == "path" and element.get("d", "") in {"", "M0,0h0v0h0Z"}:
                parent.remove(element)
        _clean(parent)
    for key in ("version", "class"):
        root.attrib.pop(key, None)
    width = max(width, int(root.get("width", "0")))
    root.set("width", str(width))
    root.set("viewBox", f"0 0 {width} {root.get('height')}")
    root.set("role", "img")
    root.set("aria-label", label)
    if any(element.get("fill") == HATCH for element in root.iter()):
        root.insert(0, _hatch(f"{name}-hatch"))
        for element in root.iter():
            if element.get("fill") == HATCH:
                element.set("fill", f"url(#{name}-hatch)")
    return ET.tostring(root, encoding="unicode")


def _clean(element: ET.Element) -> None:
    label = element.attrib.pop("aria-label", None)
    if label and len(element) == 0 and element.tag not in {"text", "g"}:
        ET.SubElement(element, "title").text = label
    for key in _DROPPED:
        element.attrib.pop(key, None)
    if element.get("opacity") == "1":
        del element.attrib["opacity"]
    for key, value in element.attrib.items():
        if key in {"d", "transform"}:
            element.set(key, _LONG_NUMBER.sub(lambda number: f"{float(number[0]):.1f}", value))


def _hatch(name: str) -> ET.Element:
    defs = ET.Element("defs")
    size = {"width": "6", "height": "6"}
    pattern = ET.SubElement(
        defs, "pattern", {"id": name, "patternUnits": "userSpaceOnUse", "patternTransform": "rotate(45)", **size}
    )
    ET.SubElement(pattern, "rect", {"fill": "var(--card)", **size})
    ET.SubElement(pattern, "rect", {"fill": "var(--orange)", "width": "3.5", "height": "6"})
    return defs
