"""An exchange that only floods: accepts a public socket, acknowledges, then sends as told.

Everything is rendered before the start, so that its cost stays out of what is measured.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import time
from multiprocessing.connection import Connection

import msgspec

from tests.bench import messages

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CHUNK_BYTES = 1 << 20


def serve(pipe: Connection, mode: str, count: int, rate_per_s: int) -> None:
    """Say the port; say `subscribed` once the topics of the mix are asked for; on `go`, send.

    `mode` is `flood` (as fast as the reader takes it) or `paced` (`rate_per_s` trades, each
    carrying as its trade id the ns at which it was sent). Serves one connection after another.
    """
    flow = b"".join(messages.flow(count)) if mode == "flood" else b""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        pipe.send(listener.getsockname()[1])
        while True:
            peer, _ = listener.accept()
            with peer:
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if not shake_hands(peer):
                    continue
                try:
                    _subscribe(peer, pipe)
                    if pipe.recv() != "go":
                        return
                    if mode == "flood":
                        for start in range(0, len(flow), _CHUNK_BYTES):
                            peer.sendall(flow[start : start + _CHUNK_BYTES])
                    else:
                        _pace(peer, count, rate_per_s)
                    while peer.recv(4096):
                        pass  # until the reader leaves
                except OSError:
                    continue


def shake_hands(peer: socket.socket) -> bool:
    """Accept a public socket; return False where something else was asked for."""
    request = b""
    while b"\r\n\r\n" not in request:
        piece = peer.recv(4096)
        if not piece:
            return False
        request += piece
    lines = request.split(b"\r\n")
    # The feed also looks for announcements (/v5/public/misc/status): there are none here.
    if b"/v5/public/" not in lines[0] or b"/misc/" in lines[0]:
        peer.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        return False
    key = next(
        line.partition(b":")[2].strip()
        for line in lines
        if line.lower().startswith(b"sec-websocket-key")
    )
    accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
    peer.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
    return True


def _subscribe(peer: socket.socket, pipe: Connection) -> None:
    missing, snapshots, buffer = set(messages.topics()), messages.snapshots(), b""
    while missing:
        piece = peer.recv(65536)
        if not piece:
            raise OSError("the reader left before it had subscribed")
        buffer += piece
        texts, buffer = client_texts(buffer)
        for text in texts:
            request = msgspec.json.decode(text)
            if request.get("op") == "ping":
                continue
            acknowledgement = {
                "success": True,
                "ret_msg": "",
                "conn_id": "bench",
                "req_id": request.get("req_id", ""),
                "op": request["op"],
            }
            peer.sendall(messages.frame(msgspec.json.encode(acknowledgement)))
            for topic in request["args"]:
                missing.discard(topic)
                peer.sendall(snapshots.get(topic, b""))
    pipe.send("subscribed")


def client_texts(buffer: bytes) -> tuple[list[bytes], bytes]:
    """Return the whole text messages of a client, and what is left of the buffer."""
    # Clients mask what they send, which FrameReader (a client's reader) rightly refuses.
    texts = []
    while len(buffer) >= 6:
        size, start = buffer[1] & 0x7F, 2
        if size == 126:
            size, start = int.from_bytes(buffer[2:4], "big"), 4
        end = start + 4 + size
        if len(buffer) < end:
            break
        mask, body = buffer[start : start + 4], buffer[start + 4 : end]
        if buffer[0] & 0x0F == 1:
            texts.append(bytes(byte ^ mask[i % 4] for i, byte in enumerate(body)))
        buffer = buffer[end:]
    return texts, buffer


def _pace(peer: socket.socket, count: int, rate_per_s: int) -> None:
    markets = messages.markets()
    begin_ns, period_ns = time.monotonic_ns(), 1_000_000_000 // rate_per_s
    for number in range(count):
        # Busy waiting would take a core from those who are measured; a short sleep is exact enough
        # because each message carries its own sending time.
        while (wait_ns := begin_ns + number * period_ns - time.monotonic_ns()) > 0:
            time.sleep(wait_ns / 1e9)
        market = markets[number % len(markets)]
        row = market.trade(str(time.time_ns()))
        envelope = {
            "topic": f"publicTrade.{market.symbol}",
            "type": "snapshot",
            "ts": row["T"],
            "data": [row],
        }
        peer.sendall(messages.frame(msgspec.json.encode(envelope)))
