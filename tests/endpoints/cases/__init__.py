"""What each call sends: one module per group."""
