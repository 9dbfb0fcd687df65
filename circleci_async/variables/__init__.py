"""Many variables at once, of a context or a project."""
