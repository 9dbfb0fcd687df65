"""Hostile names, numbers and responses, as strategies of hypothesis."""

from typing import Any

from hypothesis import strategies as st

# fmt: off
SAFE_PATHS = (
    "report.xml", "REPORT.XML", "a/report.xml", "A/report.xml", "a", "a~2", "a~2.txt", "logs/.hidden",
    ".harvest.sqlite", "\u00e9.txt", "e\u0301.txt", "\u00df", "ss", "\u0130", "\u65e5/" + "\u672c" * 85, "x" * 255,
    "d/" * 40 + "f", "%2e/x", "%00", "?q#f", "con", "nul.txt", "-rf", "$(id)", "'; DROP TABLE artifacts; --",
    "\U0001f600" * 60, "a b ", "..x", "...", "~", "*", '"',
)
"""Paths of artifacts that a harvest can write."""

REFUSED_PATHS = (
    "../x", "a/../../x", "/etc/passwd", "..", ".", "", "a//b", "a/", "a\\..\\b", "C:/x", "nul\0", "new\nline",
    "\x1b[2J", "\x85", "x" * 256, "\u00e9" * 128, ".. /x", "/".join(["d" * 200] * 30),
)
"""Paths that it must refuse."""

NAMES = (
    "build", "test", "BUILD", "a/b", "..", ".", "", "nul\0", "new\nline", "x" * 300, "\u00e9" * 200, "CON", " ", "%2F",
    "\u202e",
)
"""Names of workflows and jobs, which become folders."""
# fmt: on

HALF = "half \ud800"
HUGE = 2**63

SPOILED: dict[str, tuple[tuple[str, Any], ...]] = {
    "pipeline": (("number", HUGE), ("number", -1), ("number", "1"), ("id", HALF), ("id", ".."), ("created_at", "soon")),
    "workflow": (("name", HALF), ("id", HALF), ("id", "../.."), ("name", None), ("pipeline_number", "x")),
    "job": (("job_number", HUGE), ("job_number", 10**40), ("job_number", -7), ("name", HALF), ("job_number", "7")),
    "artifact": (("path", HALF), ("path", "\udcff"), ("node_index", HUGE), ("node_index", -1), ("url", "http://[::1")),
}
"""Values that no harvest can use, by the kind of item."""

API_FAULTS: dict[str, dict[str, Any]] = {
    "404": {"status": 404},
    "403": {"status": 403},
    "500": {"status": 500},
    "429": {"status": 429},
    "429 for years": {"status": 429, "headers": {"Retry-After": "1735689600"}},
    "429 soon": {"status": 429, "headers": {"Retry-After": "soon"}},
    "503 since yesterday": {"status": 503, "headers": {"Retry-After": "-86400"}},
    "broken JSON": {"broken_json": True},
    "cut": {"cut": 20},
    "reset": {"reset": "before"},
    "lost": {"reset": "after"},
    "a web page": {"status": 502, "body": "<h1>\x1b[31mBad gateway</h1>"},
    "a list": {"body": []},
    "no items": {"body": {"items": None, "next_page_token": None}},
    "items of another kind": {"body": {"items": [7, None, {"id": 1}], "next_page_token": None}},
    "the same page for ever": {"body": {"items": [], "next_page_token": "again"}},
    "an answer to another question": {"body": {"message": "ok"}},
}
"""What the API answers instead, as options of `FakeCircleCI.fail`."""

LISTS = {
    "pipelines": "/api/v2/project/*/pipeline",
    "workflows": "/api/v2/pipeline/*/workflow",
    "jobs": "/api/v2/workflow/*/job",
    "artifacts": "/api/v2/project/*/artifacts",
    "all": "/api/v2/*",
}
"""The paths of the lists that a harvest reads."""

DOWNLOAD_FAULTS: dict[str, dict[str, Any]] = {
    "404": {"status": 404},
    "403": {"status": 403},
    "500": {"status": 500},
    "429": {"status": 429},
    "416": {"status": 416},
    "cut": {"cut": 10},
    "cut late": {"cut": 70_000},
    "reset": {"reset": "before"},
    "lost": {"reset": "after"},
    "expired": {"expired": True},
    "elsewhere": {"status": 302, "headers": {"Location": "http://127.0.0.1:1/"}, "origin": "artifacts"},
    "to itself": {"status": 302, "headers": {"Location": "?"}, "origin": "artifacts"},
    "to a file": {"status": 302, "headers": {"Location": "file:///etc/passwd"}, "origin": "artifacts"},
}
"""What the artifact host or the storage answers instead."""

SIZES = (0, 1, 3_000, 90_000, 1_300_000)

positions = st.integers(0, 30)
"""Which of several things, modulo their number."""

delays = st.sampled_from((0, 1, 3, 8, 20))
"""After how many requests a fault begins."""

times = st.sampled_from((1, 2, 7, None))
