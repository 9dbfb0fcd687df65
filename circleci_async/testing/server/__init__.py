"""The HTTP side of an embedded CircleCI: sockets, origins, routing and faults."""
