"""Usage exports: asked for, waited for and read as rows."""
