"""One call, end to end, over real sockets."""
