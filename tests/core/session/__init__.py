"""Calls from the session to a raw server, over real sockets."""
