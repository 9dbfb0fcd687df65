"""The command line: `circleci-async`, or `python -m circleci_async`."""

import sys
from importlib.util import find_spec


def main() -> None:
    """Run the command line, or print one line if the extra `cli` is not installed."""
    if any(find_spec(name) is None for name in ("typer", "rich")):
        print("error: the extra `cli` is not installed: pip install 'circleci-async[cli]'", file=sys.stderr)  # noqa: T201
        sys.exit(1)
    try:
        from .cli import app

        app.main()
    except KeyboardInterrupt:  # during imports
        sys.exit(130)


if __name__ == "__main__":
    main()
