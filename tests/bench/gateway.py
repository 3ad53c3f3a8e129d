"""nginx as a gateway that is never the bottleneck: @connections over TLS, kept alive."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.certificates import self_signed

GONE_PREFIX = "Z"
"""Ids that start so are answered 410."""

ACTIVE_FOR_SECONDS = 1800
"""So long after its start all clients count as active, so that nobody is due for a heartbeat: what
it answers never changes.
"""

_CONFIG = """
daemon off; master_process off; worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    log_format arrivals '$msec $uri';
    access_log {access_log};
    keepalive_timeout 1h; keepalive_requests 100000000; client_body_buffer_size 64k;
    default_type application/json;
    server {{
        listen 127.0.0.1:{port} ssl backlog=4096;
        ssl_certificate {directory}/server.pem; ssl_certificate_key {directory}/server.key;
        location ~ ^/prod/@connections/{gone} {{
            add_header x-amzn-ErrorType GoneException always;
            return 410 '{{"message": null, "connectionId": "", "requestId": ""}}';
        }}
        location /prod/@connections/ {{
            return 200 '{{"connectedAt":"{connected_at}","identity":{{"sourceIp":"192.0.2.1",\
"userAgent":"Mozilla/5.0"}},"lastActiveAt":"{last_active_at}"}}';
        }}
    }}
}}
"""


@contextmanager
def gateway(
    directory: Path, arrivals_file: Path | None, cores: set[int], connected_at: float
) -> Iterator[str]:
    """Start nginx (``apt-get install nginx-light``), by its URL; ``server.pem`` is its authority.

    When each request was answered, in epoch seconds, and its path go to ``arrivals_file``. All
    clients connected at ``connected_at``, in epoch seconds too.
    """
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/opt/homebrew/bin")
    if nginx is None:
        raise SystemExit("make bench needs nginx: apt-get install nginx-light")
    self_signed(directory, "localhost")
    port = _free_port()
    config = directory / "nginx.conf"
    config.write_text(
        _CONFIG.format(
            directory=directory,
            port=port,
            gone=GONE_PREFIX,
            connected_at=iso_of(connected_at),
            last_active_at=iso_of(time.time() + ACTIVE_FOR_SECONDS),
            access_log=f"{arrivals_file} arrivals buffer=64k" if arrivals_file else "off",
        )
    )
    with subprocess.Popen(
        [nginx, "-c", config, "-e", directory / "error.log"],
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    ) as process:
        try:
            _wait_until_listening(port)
            yield f"https://localhost:{port}/prod"
        finally:
            process.send_signal(signal.SIGQUIT)


def iso_of(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_listening(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")
