"""What a harvest takes of a job, by kind: which files there are, and the bytes of each."""
