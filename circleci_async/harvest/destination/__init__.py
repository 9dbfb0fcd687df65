"""Where a harvest puts files: a folder, or a bucket."""
