"""Serve a world as files from nginx on loopback, without root and without its installed configuration."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from .world import World

# Debian installs it in /usr/sbin, which is on PATH only for root.
PROGRAM = shutil.which("nginx", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin")))

_CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
{user}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    types {{ }}
    default_type application/octet-stream;
    client_body_temp_path {folder}/tmp;
    proxy_temp_path {folder}/tmp;
    fastcgi_temp_path {folder}/tmp;
    uwsgi_temp_path {folder}/tmp;
    scgi_temp_path {folder}/tmp;
    map $args $token {{
        default "";
        "~^page-token=(?<number>[0-9]+)$" "~$number";
    }}
    server {{
        listen 127.0.0.1:{port};
        root {folder}/world;
        location /files/ {{ }}
        location /api/ {{
            default_type application/json;
            try_files $uri$token.json =404;
        }}
    }}
}}
"""


@contextmanager
def serving(world: World, folder: Path) -> Generator[str]:
    """Write a world to `folder`, serve it, and yield the address."""
    port = _free_port()
    base = f"http://127.0.0.1:{port}"
    (folder / "tmp").mkdir()
    world.write(folder / "world", base)
    user = "user root;" if os.geteuid() == 0 else ""  # otherwise the workers run as user nobody
    file = folder / "nginx.conf"
    file.write_text(_CONFIGURATION.format(folder=folder, port=port, user=user))
    assert PROGRAM is not None
    command = [PROGRAM, "-e", "stderr", "-p", str(folder), "-c", str(file)]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    try:
        while not _answers(port):
            if server.poll() is not None:
                raise RuntimeError(f"nginx did not start: {server.stderr.read()}")
            time.sleep(0.01)
        yield base
    finally:
        server.terminate()
        server.wait()
        server.stderr.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
