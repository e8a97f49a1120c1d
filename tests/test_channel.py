"""Messages over a socket pair."""

from __future__ import annotations

import socket

from resnet50_bench.protocol.channel import Channel


def test_messages_arrive_in_order_and_an_end_is_an_empty_list():
    left, right = (Channel(end) for end in socket.socketpair())
    left.send(event="ready", instance=0)
    left.send(event="enough")
    left.close()
    assert right.receive() == [{"event": "ready", "instance": 0}, {"event": "enough"}]
    assert right.receive() == []
    right.close()


def test_a_message_cut_in_two_is_put_together():
    raw, end = socket.socketpair()
    raw.sendall(b'{"word": "g')
    raw.sendall(b'o"}\n{"wo')
    channel = Channel(end)
    assert channel.receive() == [{"word": "go"}]
    channel.close()
    raw.close()
