"""The state of an embedded CircleCI: its records, and how they change with time."""
