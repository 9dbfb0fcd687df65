"""What each method of a group sends."""
