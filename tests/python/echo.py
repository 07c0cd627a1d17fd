"""Clients of each system with independent libraries: pyzmq, grpcio and the standard socket module.

    echo.py PROTO SYSTEM HOST:PORT COUNT

Sends COUNT messages with a Python protobuf class that is generated from the project's .proto file,
and checks each reply. Exits with status 0 if all replies are correct.
"""

import queue
import socket
import struct
import sys
from pathlib import Path

import grpc
import zmq

TIMEOUT_S = 10


def zeromq(address):
    context = zmq.Context()
    requests = context.socket(zmq.REQ)
    requests.setsockopt(zmq.LINGER, 0)
    requests.setsockopt(zmq.RCVTIMEO, TIMEOUT_S * 1000)
    requests.connect(f"tcp://{address}")

    def exchange(request):
        requests.send(request.SerializeToString())
        return type(request).FromString(requests.recv())

    return exchange


def unary_call(address):
    stub = services.HelloStub(grpc.insecure_channel(address))
    return lambda request: stub.Respond(request, timeout=TIMEOUT_S)


def streaming_call(address):
    stub = services.HelloStub(grpc.insecure_channel(address))
    requests = queue.SimpleQueue()
    replies = stub.Converse(iter(requests.get, None), timeout=TIMEOUT_S)

    def exchange(request):
        requests.put(request)
        return next(replies)

    return exchange


def length_prefixed(address):
    host, port = address.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=TIMEOUT_S)
    stream = connection.makefile("rwb")

    def exchange(request):
        body = request.SerializeToString()
        stream.write(struct.pack(">I", len(body)) + body)
        stream.flush()
        (length,) = struct.unpack(">I", stream.read(4))
        return type(request).FromString(stream.read(length))

    return exchange


CLIENTS = {
    "rep": zeromq,
    "router": zeromq,
    "grpc": unary_call,
    "grpc-stream": streaming_call,
    "tcp": length_prefixed,
}


def main(system, address, count):
    exchange = CLIENTS[system](address)
    for sequence in range(1, count + 1):
        request = messages.BasicMessage(
            sender="python", message=f"msg {sequence}", sequence=sequence, reply_bytes=100
        )
        reply = exchange(request)
        assert reply.acknowledges == sequence, reply
        assert reply.message.startswith("reply msg #"), reply
        assert len(reply.message) == 100, reply
    # A peer that implements only the first two fields.
    reply = exchange(messages.BasicMessage(sender="older", message="hello"))
    assert reply.acknowledges == 0 and reply.message.startswith("reply msg #"), reply


if __name__ == "__main__":
    proto, system, address, count = sys.argv[1:]
    sys.path.insert(0, str(Path(proto).parent))
    messages, services = grpc.protos_and_services(Path(proto).name)
    main(system, address, int(count))
