"""A feed whose REST calls are a list: what is asked, and a hand to answer it."""

from bybitd.net.rest import RestReply
from bybitd.public_feed.errands import Errands
from bybitd.public_feed.filling import Filling
from bybitd.public_feed.seeds import Seeds
from tests.public_feed.messages import Desk


class Asked:
    """One call: `answer` or `fail` it, once."""

    def __init__(self, urgency, path, params, done):
        self.urgency, self.path, self.params, self._done = urgency, path, params, done

    def answer(self, result, time_ms):
        reply = RestReply(
            ret_code=0,
            ret_msg="OK",
            result=result,
            ret_ext_info={},
            time_ms=time_ms,
            limit=None,
            remaining=None,
            reset_ms=None,
            sent_ns=1_000_000 * (time_ms - 5),
            received_ns=1_000_000 * time_ms,
        )
        self._done(reply, "")

    def fail(self, problem):
        self._done(None, problem)


class RestDesk(Desk):
    """A whole feed with what it fetches; `calls` are those that wait for an answer."""

    def __init__(self, **desk_args):
        super().__init__(**desk_args)
        self.calls = []
        feed = self.feed
        errands = Errands(feed.find)
        parts = feed.pipeline, self
        self.seeds = Seeds(feed.category, feed.channels, feed.views, errands, *parts)
        self.filling = Filling(feed.category, feed.channels, errands, *parts)
        self.errands = errands
        self.line.connect()

    def ask(self, urgency, path, params, done):
        self.calls.append(Asked(urgency, path, params, done))

    def beat(self, now_ms):
        super().beat(now_ms)
        self.seeds.beat(now_ms)
        self.filling.beat(now_ms, 1_000_000 * now_ms)
        self.errands.forget_gone()

    def call(self, now_ms):
        """Let time pass and take the one call that comes of it."""
        self.beat(now_ms)
        (call,) = self.calls
        self.calls.clear()
        return call

    def reconnect(self, now_ms=0):
        """The connection goes and comes back, and the exchange acknowledges every topic."""
        self.line.cut()
        self.line.connect(now_ms)
        for channel in self.feed.channels.values():
            channel.acknowledged = True
