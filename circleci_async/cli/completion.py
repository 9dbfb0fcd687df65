"""`completion`: shell completion."""

from enum import StrEnum
from typing import Annotated, Final

import typer
import typer.completion

from .output import Output

PROGRAM: Final = "circleci-async"
VARIABLE: Final = "_CIRCLECI_ASYNC_COMPLETE"
"""Environment variable through which the shell requests completions; typer derives it from the program name."""


class Shell(StrEnum):
    """A supported shell."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


async def completion(
    out: Output, shell: Annotated[Shell, typer.Argument(metavar="SHELL", help=", ".join(Shell), show_default=False)]
) -> None:
    """Print a script for shell completion.

    \b
    bash: eval "$(circleci-async completion bash)"  in ~/.bashrc
    zsh: eval "$(circleci-async completion zsh)"  in ~/.zshrc, after compinit
    fish: circleci-async completion fish | source  in ~/.config/fish/config.fish
    PowerShell: circleci-async completion powershell | Out-String | Invoke-Expression  in $PROFILE
    """
    # typer's own options detect the shell and change the user's files
    script = typer.completion.get_completion_script(  # type: ignore[attr-defined] # not exported
        prog_name=PROGRAM, complete_var=VARIABLE, shell=shell.value
    )
    if out.is_json:
        out.data({"shell": shell, "script": script})
    else:
        out.stream.write(f"{script}\n")


def prepare() -> None:
    """Register the shells, so that the program answers completion requests; typer does so only for its own options."""
    typer.completion.completion_init()  # type: ignore[attr-defined] # as above
