"""The local ZeroMQ bus of bybitd: topics, messages, publisher, subscriber, server, client.

Knows nothing of the exchange. The wire is specified in `ipc/PROTOCOL.md`.
"""
