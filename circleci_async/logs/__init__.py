"""What the steps of jobs printed."""
