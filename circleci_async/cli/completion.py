"""`completion`: what makes a shell complete this command's words."""

from enum import StrEnum
from typing import Annotated, Final

import typer
import typer.completion

from .output import Output

PROGRAM: Final = "circleci-async"
VARIABLE: Final = "_CIRCLECI_ASYNC_COMPLETE"
"""The environment variable by which a shell's script asks for completions; typer makes it of the program's name."""


class Shell(StrEnum):
    """A shell that there is a script for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


async def completion(
    out: Output, shell: Annotated[Shell, typer.Argument(metavar="SHELL", help=", ".join(Shell), show_default=False)]
) -> None:
    """Print what makes a shell complete commands and options.

    \b
    bash: eval "$(circleci-async completion bash)"  in ~/.bashrc
    zsh: eval "$(circleci-async completion zsh)"  in ~/.zshrc, after compinit
    fish: circleci-async completion fish | source  in ~/.config/fish/config.fish
    PowerShell: circleci-async completion powershell | Out-String | Invoke-Expression  in $PROFILE
    """
    # typer's own options do this too, but they guess the shell and change the user's files and settings.
    script = typer.completion.get_completion_script(  # type: ignore[attr-defined] # it is there, but not exported
        prog_name=PROGRAM, complete_var=VARIABLE, shell=shell.value
    )
    if out.is_json:
        out.data({"shell": shell, "script": script})
    else:
        out.stream.write(f"{script}\n")


def prepare() -> None:
    """Let the program answer those scripts; typer does this alone where its own options are."""
    typer.completion.completion_init()  # type: ignore[attr-defined] # as above
