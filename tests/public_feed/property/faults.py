"""What goes wrong on the way from the exchange to the feed, drawn from the case's seed."""

import json

# Probabilities, in a thousand, for one message; a case has some of them.
OF_A_MESSAGE = {
    "drop": 30,
    "repeat": 40,
    "late repeat": 30,
    "reorder": 40,
    "garbage": 30,
    "crossed": 20,
    "unsorted": 60,
    "malformed": 15,
    "lost control frame": 100,
    "restart as a delta": 300,
    "lost restart": 300,
}
# Mean number in a case that has them.
OF_A_CASE = {
    "cut": 2.0,
    "stall": 1.5,
    "outage": 0.7,
    "restart": 1.0,
    "skipped update": 2.0,
    "restart of the feed": 0.8,
}
GARBAGE = (
    b"",
    b"not json",
    b"\xff\xfe\x00",
    b"[]",
    b"{}",
    b"null",
    b'{"topic":5,"data":{}}',
    b'{"topic":"orderbook.50.BTCUSDT"}',
    b'{"topic":"orderbook.50.BTCUSDT","type":"delta","data":',
    b'{"success":false,"ret_msg":"error:invalid op","op":"x","req_id":"no such"}',
    b'{"success":true,"op":"unsubscribe","req_id":""}',
    b'{"op":"pong"}',
    b'{"type":"COMMAND_RESP","success":true,"data":7}',
)
_BREAKAGES = (
    lambda data: data.pop("u"),
    lambda data: data.update(u="1"),
    lambda data: data.update(b=None),
    lambda data: data.update(a=[["1"]]),
    lambda data: data.update(b=[[1.5, 2]]),
    lambda data: data["b"].append(["one", "1", "1"]),
)


def crossed(payload, rng):
    """Return the message with a bid above every ask; the simulator's books always have asks."""
    message = json.loads(payload)
    data = message["data"]
    levels = data["a"] or data["b"]
    data["b"] = [["99999999", *["1"] * (len(levels[0]) - 1)]]
    return json.dumps(message).encode()


def unsorted(payload, rng):
    """Return the snapshot with two levels the wrong way round."""
    message = json.loads(payload)
    side = message["data"][rng.choice("ba")]
    if message["type"] == "delta" or len(side) < 2:
        return None
    side[0], side[1] = side[1], side[0]
    return json.dumps(message).encode()


def malformed(payload, rng):
    """Return the message in a shape that no book has."""
    message = json.loads(payload)
    rng.choice(_BREAKAGES)(message["data"])
    return json.dumps(message).encode()


def is_restart(payload):
    """Tell whether a book begins anew with this message."""
    return json.loads(payload)["data"]["u"] == 1


def restart_as_delta(payload, rng):
    """Return the snapshot with `u` = 1 as the delta that the exchange's documentation allows."""
    message = json.loads(payload)
    if message["type"] == "delta" or message["data"]["u"] != 1:
        return None
    message["type"] = "delta"
    return json.dumps(message).encode()


REPLACING = {
    "crossed": crossed,
    "unsorted": unsorted,
    "malformed": malformed,
    "restart as a delta": restart_as_delta,
}


def draw(rng):
    """Return which faults a case has, and how strong they are."""
    if rng.random() < 0.05:
        return {}
    kinds = [*OF_A_MESSAGE, *OF_A_CASE]
    chosen = rng.sample(kinds, rng.randint(1, len(kinds)))
    strength = rng.choice((0.5, 1, 1, 3))
    return dict.fromkeys(chosen, strength)
