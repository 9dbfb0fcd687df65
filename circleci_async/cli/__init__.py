"""The command line; the only importer of typer and rich.

A command is a short coroutine function: it reads the arguments, calls the SDK and shows the result. `with_client`
passes it a client and an `Output`, and turns errors and signals into one line and an exit code. `--help` must be fast,
so rich and the SDK are imported where they are used, not at the top of these modules.
"""
