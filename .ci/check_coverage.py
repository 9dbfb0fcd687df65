"""Fail if lines or branches, each by itself, are covered less than `fail_under` in pyproject.toml asks for."""

import json
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Read the JSON report named on the command line."""
    minimum = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["coverage"]["report"]["fail_under"]
    totals = json.loads(Path(sys.argv[1]).read_text())["totals"]
    shares = {
        "lines": 100 * totals["covered_lines"] / totals["num_statements"],
        "branches": 100 * totals["covered_branches"] / totals["num_branches"],
    }
    shown = ", ".join(f"{share:.1f} % of {what}" for what, share in shares.items())
    sys.stdout.write(f"Covered: {shown}.\n")
    if min(shares.values()) < minimum:
        sys.exit(f"coverage must be at least {minimum} % of lines and of branches, got {shown}")


if __name__ == "__main__":
    main()
