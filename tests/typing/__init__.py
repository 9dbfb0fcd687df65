"""What a caller writes, as type checkers see it."""
