"""A client that keeps a topic as the wire's document tells it to."""


class Reader:
    """Follows one topic through what an outlet sent: `body` is the last, None if not to be used."""

    def __init__(self, outlet, topic):
        self.outlet, self.topic, self.feed = outlet, topic, f"gateway.feed.{topic}"
        self.body, self.seq, self.state, self.read = None, 0, "pending", 0

    def catch_up(self):
        for topic, body in self.outlet.sent[self.read :]:
            if topic == self.topic and not body.get("resend"):
                assert body["seq"] == self.seq + 1
                assert (body["topic"], body["type"]) == (
                    self.topic.split(".", 1)[1][:-1],
                    "snapshot",
                )
                self.body, self.seq = body, body["seq"]
            elif topic == self.feed:
                assert body["topic"] == self.topic
                self.state = body["state"]
                if self.state != "live":
                    self.body = None
        self.read = len(self.outlet.sent)
        return self.body
