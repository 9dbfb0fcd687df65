"""Usage exports: waiting for them, and reading their rows."""
