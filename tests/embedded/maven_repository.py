"""A Maven repository on loopback that serves Kafka's jars from the cache, or other bytes."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from liancheng.embedded.jars import kafka_jars

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class MavenRepository:
    """Counts requests per jar; `alter` may change the bytes of a jar by its name."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: Counter[str] = Counter()
        self.alter: Callable[[str, bytes], bytes] = lambda _name, content: content


@contextmanager
def maven_repository() -> Iterator[MavenRepository]:
    jars = {jar.name: jar for jar in kafka_jars()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            if name not in jars:  # .sha1 files, which a repository need not have
                self.send_error(404)
                return
            repository.requests[name] += 1
            content = repository.alter(name, jars[name].read_bytes())
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        repository = MavenRepository(f"http://127.0.0.1:{server.server_port}/maven2")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield repository
        finally:
            server.shutdown()
