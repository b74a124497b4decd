"""A stream of one topic, lossy copies of it, and any order in which they may arrive."""

import random

LANES = 2


def lossy_copies(rng, stream, loss=0.3, lanes=LANES):
    """Copies of a stream with parts missing, so that each message is on one of them at least."""
    copies = [[] for _ in range(lanes)]
    for message in stream:
        keeps = [lane for lane in range(lanes) if rng.random() >= loss]
        for lane in keeps or [rng.randrange(lanes)]:
            copies[lane].append(message)
    return copies


def interleaved(rng, copies):
    """Yield (lane, message): each copy keeps its order, one may be far ahead of the other."""
    waiting = [list(copy) for copy in copies]
    while any(waiting):
        lane = rng.choice([number for number, copy in enumerate(waiting) if copy])
        for _ in range(min(len(waiting[lane]), rng.choice((1, 1, 2, 5, 20)))):
            yield lane, waiting[lane].pop(0)


def merged(merging, arrivals, now_ms=0):
    """What comes out, while no time passes."""
    out = []
    for number, (lane, message) in enumerate(arrivals):
        out += [each.message for each in merging.offer(lane, message, number, now_ms)]
    return out


def book(u, kind="delta", seq=None, ts=None, name=""):
    seq = 7 * u if seq is None else seq
    data = {"s": "BTCUSDT", "b": [], "a": [], "u": u, "seq": seq}
    return {"topic": name, "type": kind, "ts": seq if ts is None else ts, "data": data}


def book_stream(rng, length, restart=0.0, snapshot=0.0):
    """A book's messages: a snapshot, deltas, now and then a restart or a snapshot in between."""
    first, stream, u, seq = rng.randint(1, 1000), [], 0, rng.randint(1, 10**6)
    for number in range(length):
        seq += rng.randint(1, 9)
        u = first if not number else 1 if rng.random() < restart else u + 1
        kind = "snapshot" if not number or u == 1 or rng.random() < snapshot else "delta"
        stream.append(book(u, kind, seq))
    return stream


def eras(rng):
    """A book that restarts twice, after a while each time."""
    stream, seq = [], 1000
    for first in (rng.randint(40, 90), 1, 1):
        for u in range(first, first + rng.randint(25, 40)):
            seq += rng.randint(1, 9)
            whole = u == first or rng.random() < 0.05
            stream.append(book(u, "snapshot" if whole else "delta", seq))
    return stream


def is_part_of(out, stream):
    """Whether `out` is the stream with some of its messages left out."""
    rest = iter(stream)
    return all(any(each is message for each in rest) for message in out)


def seeded(seed):
    return random.Random(seed)
