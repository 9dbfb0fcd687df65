"""A notebook's kernel: runs blocks of Python in one namespace, on one event loop, with top-level `await`.

It reads one block a line from stdin, `{"code": ..., "file": ..., "line": ...}`, and answers each with a line
`{"output": ..., "error": ...}`. It needs nothing but the package, so it runs in an environment with only the wheel.
"""

import ast
import asyncio
import inspect
import io
import json
import sys
import traceback
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import circleci_async as ca

TIMEOUT = 30.0
"""Seconds that one block may take."""

_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


async def serve() -> None:
    """Run blocks until the end of stdin."""
    sys.path.insert(0, str(Path.cwd()))  # a block imports the file of another
    answers = sys.stdout
    circle = ca.CircleCI()
    names: dict[str, Any] = {"__name__": "__main__", "asyncio": asyncio, "ca": ca, "circle": circle}
    try:
        while line := await asyncio.to_thread(sys.stdin.readline):  # tasks of earlier blocks continue meanwhile
            block = json.loads(line)
            error = ""
            with redirect_stdout(io.StringIO()) as printed:
                try:
                    await run(block["code"], block["file"], block["line"], names)
                except Exception:  # noqa: BLE001  reported as the result of the block
                    error = traceback.format_exc()
            print(json.dumps({"output": printed.getvalue(), "error": error}), file=answers, flush=True)
    finally:
        await circle.aclose()


async def run(code: str, file: str, line: int, names: dict[str, Any]) -> None:
    """Run a block, whose first line is the line `line` of `file`."""
    tree = compile(code, file, "exec", ast.PyCF_ONLY_AST | _AWAIT, dont_inherit=True)
    ast.increment_lineno(tree, line - 1)
    compiled = compile(tree, file, "exec", _AWAIT, dont_inherit=True)
    async with asyncio.timeout(TIMEOUT):
        result = eval(compiled, names)
        if compiled.co_flags & inspect.CO_COROUTINE:
            await result


if __name__ == "__main__":
    asyncio.run(serve())
