"""Servers of each system with independent libraries: pyzmq, grpcio and socketserver.

    serve.py PROTO SYSTEM [PORT]

Listens on PORT, or on a free port, of the loopback address. Prints 'listening HOST:PORT' and
answers requests until it is terminated.
"""

import socketserver
import struct
import sys
from concurrent import futures
from pathlib import Path

import grpc
import zmq


def reply_to(request):
    return messages.BasicMessage(
        sender="python",
        message="reply".ljust(request.reply_bytes, "."),
        acknowledges=request.sequence,
    )


def print_address(port):
    print(f"listening 127.0.0.1:{port}", flush=True)


def bind(socket):
    socket.bind(f"tcp://127.0.0.1:{port or '*'}")
    return int(socket.getsockopt(zmq.LAST_ENDPOINT).decode().rsplit(":", 1)[1])


def zeromq_rep():
    socket = zmq.Context().socket(zmq.REP)
    print_address(bind(socket))
    while True:
        socket.send(reply_to(messages.BasicMessage.FromString(socket.recv())).SerializeToString())


def zeromq_router():
    socket = zmq.Context().socket(zmq.ROUTER)
    print_address(bind(socket))
    while True:
        *envelope, body = socket.recv_multipart()
        reply = reply_to(messages.BasicMessage.FromString(body))
        socket.send_multipart([*envelope, reply.SerializeToString()])


def grpc_hello():
    class Hello(services.HelloServicer):
        def Respond(self, request, context):
            return reply_to(request)

        def Converse(self, requests, context):
            return map(reply_to, requests)

    # Each stream occupies a thread until it ends.
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    services.add_HelloServicer_to_server(Hello(), server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    print_address(bound)
    server.wait_for_termination()


def length_prefixed():
    class Connection(socketserver.StreamRequestHandler):
        def handle(self):
            while header := self.rfile.read(4):
                (length,) = struct.unpack(">I", header)
                request = messages.BasicMessage.FromString(self.rfile.read(length))
                reply = reply_to(request).SerializeToString()
                self.wfile.write(struct.pack(">I", len(reply)) + reply)

    with socketserver.ThreadingTCPServer(("127.0.0.1", port), Connection) as server:
        print_address(server.server_address[1])
        server.serve_forever()


SERVERS = {
    "rep": zeromq_rep,
    "router": zeromq_router,
    "grpc": grpc_hello,
    "grpc-stream": grpc_hello,
    "tcp": length_prefixed,
}

if __name__ == "__main__":
    proto, system, *rest = sys.argv[1:]
    port = int(rest[0]) if rest else 0
    sys.path.insert(0, str(Path(proto).parent))
    messages, services = grpc.protos_and_services(Path(proto).name)
    SERVERS[system]()
