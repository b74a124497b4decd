"""From several copies of one topic the one stream that they are copies of. Pure.

Each of the redundant connections (a lane) brings a topic in order, with parts missing: before it
came, while it was away, whatever was lost on the way. `choice.merging_for` returns what puts the
copies of one topic together.
"""
