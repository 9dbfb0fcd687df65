"""Why a host cannot be reached, and what to check. Texts only; no I/O."""

import errno
import socket

PROXY_FAILED = (
    "Check the proxy in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY; to connect to the host without it, add the host to"
    " NO_PROXY."
)

TLS_FAILED = (
    "If the CA is private, such as that of a company or of a proxy that inspects TLS, set SSL_CERT_FILE to a PEM file"
    " that contains it; otherwise check that host and port serve https."
)


def connection_failure(host: str, port: int | None, error: OSError) -> tuple[str, str]:
    """Return what failed and a hint, for an error of the operating system while connecting."""
    where = f"{host}:{port}" if port else host
    if isinstance(error, socket.gaierror):
        return (
            f"the host name {host} cannot be resolved ({error.strerror or error})",
            (
                "Check the spelling of the host (`host`, CIRCLE_HOST or the config file), and the network and the DNS"
                " of this machine; if this network requires a proxy, set HTTPS_PROXY."
            ),
        )
    if error.errno == errno.ECONNREFUSED:
        return f"{where} refused the connection", f"Check host and port, and that a server is running at {where}."
    reason = error.strerror or str(error) or type(error).__name__
    return f"{where}: {reason}", no_connection(host)


def no_connection(host: str) -> str:
    """Return the hint for a host that does not accept connections."""
    return (
        f"Check the network, and whether a firewall or a missing VPN blocks {host}; if this network requires a proxy,"
        " set HTTPS_PROXY."
    )


def no_answer(host: str | None, limit: str = "timeout") -> str:
    """Return the hint for a host that does not respond within the `limit`."""
    return f"Check that {host} is up and that it is a CircleCI host, and the proxy if there is one; or raise `{limit}`."
