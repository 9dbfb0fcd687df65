"""S3 for tests: moto's server, and a proxy in front of it that causes faults."""
