"""Servers of each system made of other people's libraries: pyzmq, grpcio, socketserver.

    serve.py PROTO SYSTEM [PORT]

Listens on a free port of loopback, or on PORT. Prints 'listening HOST:PORT', and answers until it
is ended.
"""

import socketserver
import struct
import sys
from concurrent import futures
from pathlib import Path

import grpc
import zmq


def answer(request):
    return messages.BasicMessage(
        sender="python",
        message="reply".ljust(request.reply_bytes, "."),
        acknowledges=request.sequence,
    )


def listening(port):
    print(f"listening 127.0.0.1:{port}", flush=True)


def bind(socket):
    socket.bind(f"tcp://127.0.0.1:{port or '*'}")
    return int(socket.getsockopt(zmq.LAST_ENDPOINT).decode().rsplit(":", 1)[1])


def zeromq_rep():
    socket = zmq.Context().socket(zmq.REP)
    listening(bind(socket))
    while True:
        socket.send(answer(messages.BasicMessage.FromString(socket.recv())).SerializeToString())


def zeromq_router():
    socket = zmq.Context().socket(zmq.ROUTER)
    listening(bind(socket))
    while True:
        *envelope, body = socket.recv_multipart()
        reply = answer(messages.BasicMessage.FromString(body))
        socket.send_multipart([*envelope, reply.SerializeToString()])


def hello():
    class Hello(services.HelloServicer):
        def Respond(self, request, context):
            return answer(request)

        def Converse(self, requests, context):
            return map(answer, requests)

    # A stream has a thread for as long as it lasts.
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    services.add_HelloServicer_to_server(Hello(), server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    listening(bound)
    server.wait_for_termination()


def length_prefixed():
    class Connection(socketserver.StreamRequestHandler):
        def handle(self):
            while header := self.rfile.read(4):
                (length,) = struct.unpack(">I", header)
                request = messages.BasicMessage.FromString(self.rfile.read(length))
                reply = answer(request).SerializeToString()
                self.wfile.write(struct.pack(">I", len(reply)) + reply)

    with socketserver.ThreadingTCPServer(("127.0.0.1", port), Connection) as server:
        listening(server.server_address[1])
        server.serve_forever()


SERVERS = {
    "rep": zeromq_rep,
    "router": zeromq_router,
    "grpc": hello,
    "grpc-stream": hello,
    "tcp": length_prefixed,
}

if __name__ == "__main__":
    proto, system, *rest = sys.argv[1:]
    port = int(rest[0]) if rest else 0
    sys.path.insert(0, str(Path(proto).parent))
    messages, services = grpc.protos_and_services(Path(proto).name)
    SERVERS[system]()
