"""The command line: `circleci-async`, or `python -m circleci_async`."""

import sys

from .config.extras import is_installed


def main() -> None:
    """Run the command line, or print one line if the extra `cli` is not installed."""
    if not (is_installed("typer") and is_installed("rich")):
        print("error: the extra `cli` is not installed: pip install 'circleci-async[cli]'", file=sys.stderr)  # noqa: T201
        sys.exit(1)
    try:
        from .cli import app

        app.main()
    except KeyboardInterrupt:  # during imports
        sys.exit(130)


if __name__ == "__main__":
    main()
