"""The command line; the only importer of typer and rich.

A command is a short function: read the arguments, call the SDK, show what came. `command` gives it a client and an
`Output`, and turns errors and signals into one line and an exit code. `--help` must be quick, so rich and the SDK are
imported where they are used, not at the top of these modules.
"""
