"""Small peers for the network tests: a WebSocket server of raw bytes and an HTTP server."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from bybitd.simulator.wire.tls import make_certificate

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def shake_hands(peer: socket.socket) -> None:
    """Accept a WebSocket handshake without any extension."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += peer.recv(4096)
    assert b"permessage-deflate" not in request
    key = next(
        line.partition(b": ")[2]
        for line in request.split(b"\r\n")
        if line.lower().startswith(b"sec-websocket-key")
    )
    accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
    peer.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


@contextlib.contextmanager
def websocket_server(
    talk: Callable[[socket.socket], None], tls_dir: Path | None = None
) -> Iterator[tuple[str, str]]:
    """Serve each connection with `talk`, in a thread; yield (url, certificate to trust)."""
    context = authority = None
    if tls_dir is not None:
        certificate = make_certificate(tls_dir)
        context, authority = certificate.server_context(), certificate.authority
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def serve(peer: socket.socket) -> None:
        with peer, contextlib.suppress(OSError):
            secure = context.wrap_socket(peer, server_side=True) if context else peer
            with secure:
                shake_hands(secure)
                talk(secure)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                thread = threading.Thread(target=serve, args=(listener.accept()[0],))
                thread.start()
                threads.append(thread)

    accepting = threading.Thread(target=accept)
    accepting.start()
    scheme = "wss" if context else "ws"
    try:
        yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/v5", str(authority or "")
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()


Answer = Callable[[http.server.BaseHTTPRequestHandler, bytes], tuple[int, dict[str, str], bytes]]


@contextlib.contextmanager
def http_server(answer: Answer) -> Iterator[str]:
    """Answer each request by `answer(request, body) -> (status, headers, body)`; yield the URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            status, headers, body = answer(self, self.rfile.read(length))
            if status == 0:  # hang up without a word
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_args: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
