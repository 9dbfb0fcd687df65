"""The command line: `circleci-async`, or `python -m circleci_async`."""

import sys
from importlib.util import find_spec


def main() -> None:
    """Run the command line. Says so in one line if the packages of the extra `cli` are missing."""
    if any(find_spec(name) is None for name in ("typer", "rich")):
        print("circleci-async needs its extra: pip install 'circleci-async[cli]'", file=sys.stderr)  # noqa: T201
        sys.exit(1)
    try:
        from .cli.app import app

        app()
    except KeyboardInterrupt:  # before a command has taken over
        sys.exit(130)


if __name__ == "__main__":
    main()
