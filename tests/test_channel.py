"""Messages over a socket pair: what one end sends is what the other one gets, or a refusal that names the field."""

from __future__ import annotations

import socket

import msgspec
import pytest

from resnet50_bench.protocol.messages import (
    Channel,
    Data,
    Event,
    Go,
    Group,
    Next,
    Order,
    Part,
    Progress,
    Ready,
    Spec,
    Stopped,
    decode,
    encode,
)


def test_messages_arrive_in_order_and_an_end_is_an_empty_list():
    left, right = socket.socketpair()
    worker, launcher = Channel(left, Order), Channel(right, Event)
    worker.send(Ready(3, 0.25))
    worker.send(Stopped())
    assert launcher.receive() == [Ready(3, 0.25), Stopped()]
    launcher.send(Next("/a name that is not UTF-8: \udce9/spec"))
    assert worker.receive() == [Next("/a name that is not UTF-8: \udce9/spec")]
    worker.close()
    assert launcher.receive() == []
    launcher.close()


def test_a_message_cut_in_two_is_put_together():
    raw, end = socket.socketpair()
    raw.sendall(b'{"order": "g')
    raw.sendall(b'o"}\n{"or')
    channel = Channel(end, Order)
    assert channel.receive() == [Go()]
    channel.close()
    raw.close()


@pytest.mark.parametrize("line", [b'{"order": "gone"}', b'{"event": "ready", "instance": 0}', b'{"order": "next"}'])
def test_what_the_protocol_does_not_have_is_refused(line):
    raw, end = socket.socketpair()
    channel = Channel(end, Order)
    raw.sendall(line + b"\n")
    with pytest.raises(msgspec.ValidationError):
        channel.receive()
    channel.close()
    raw.close()


def test_a_loss_that_is_no_number_arrives_as_it_was_said():
    state = Progress(0, done=3, wanted=10, elapsed_s=1.0, last_ms=5.0, loss=f"{float('nan'):.3f}")
    assert decode(encode(state), Event) == state


def test_a_spec_comes_out_of_its_file_as_it_went_in():
    part = Part(1, cpus=(2, 3), memory_node=None, memory_nodes=(), loader_cpus=(7,), stream_floats=0)
    spec = Spec(process=1, cpus=(2, 3), instances=(part,), precision="avx2_int8", torch_type="IPEX", batch_size=4,
                steps=None, warmup_steps=20, min_duration_s=1.5, accuracy=True, training=False,
                data=Data(dataset="/\udce9", classes=7, images=200, calibration=("a", "caf\udce9.png")),
                group=Group(0, 1, "/meet"), cache_dir="/cache", report="/r", log="/l", memory_nodes=1)
    assert decode(encode(spec), Spec) == spec
    with pytest.raises(AttributeError):
        spec.batch_size = 8
