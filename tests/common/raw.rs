//! Independent clients that can send any bytes and return the server's reply or error.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use echometer::message::BasicMessage;
use futures_executor::block_on;
use futures_util::{SinkExt, TryStreamExt};
use grpcio::{
    CallOption, ChannelBuilder, EnvBuilder, GrpcSlice, Marshaller, MessageReader, Method,
    MethodType, WriteFlags,
};
use protobuf::Message;

use super::{DEADLINE, Wire};

const RESPOND: Method<Vec<u8>, Vec<u8>> = method(MethodType::Unary, "/msg.Hello/Respond");
const CONVERSE: Method<Vec<u8>, Vec<u8>> = method(MethodType::Duplex, "/msg.Hello/Converse");

const fn method(ty: MethodType, name: &'static str) -> Method<Vec<u8>, Vec<u8>> {
    Method {
        ty,
        name,
        req_mar: Marshaller { ser: pack, de: unpack },
        resp_mar: Marshaller { ser: pack, de: unpack },
    }
}

#[allow(clippy::ptr_arg, clippy::unnecessary_wraps, reason = "the type is grpcio's")]
fn pack(bytes: &Vec<u8>, slice: &mut GrpcSlice) -> grpcio::Result<()> {
    *slice = GrpcSlice::from(bytes.as_slice());
    Ok(())
}

fn unpack(mut reader: MessageReader) -> grpcio::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(|error| grpcio::Error::Codec(error.into()))?;
    Ok(bytes)
}

/// Invalid protobuf: the bytes begin a field that is longer than the input.
pub const INVALID_PROTOBUF: &[u8] = b"\x0a\xff\xff\xff\xff garbage";

/// A serialized message of a peer that implements only the first two fields.
pub fn unsequenced_message(text: &str) -> Vec<u8> {
    let message = BasicMessage {
        sender: "old-peer".to_owned(),
        message: text.to_owned(),
        ..BasicMessage::default()
    };
    message.write_to_bytes().unwrap()
}

/// Sends one message. Returns the text of the reply, or the error or status text.
pub fn send_raw(wire: Wire, address: &str, bytes: &[u8]) -> Result<String, String> {
    let reply = match wire {
        Wire::ZeroMq => exchange_zmq(address, &[bytes]),
        Wire::Grpc => exchange_grpc(address, bytes),
        Wire::GrpcStream => exchange_on_stream(address, bytes),
        Wire::Framed => exchange_framed(address, bytes).map_err(|error| error.to_string()),
    }?;
    message_text(&reply)
}

/// The `message` field of a serialized message.
pub fn message_text(reply: &[u8]) -> Result<String, String> {
    let reply = BasicMessage::parse_from_bytes(reply).map_err(|error| error.to_string())?;
    Ok(reply.message)
}

/// Sends a multipart message and returns the text of the reply.
pub fn send_frames(address: &str, frames: &[&[u8]]) -> Result<String, String> {
    message_text(&exchange_zmq(address, frames)?)
}

/// A connected socket in its own ZeroMQ context.
pub fn zmq_socket(kind: zmq::SocketType, address: &str) -> zmq::Socket {
    let socket = zmq::Context::new().socket(kind).unwrap();
    socket.set_rcvtimeo(i32::try_from(DEADLINE.as_millis()).unwrap()).unwrap();
    socket.set_linger(1000).unwrap();
    socket.connect(&format!("tcp://{address}")).unwrap();
    socket
}

fn exchange_zmq(address: &str, frames: &[&[u8]]) -> Result<Vec<u8>, String> {
    let socket = zmq_socket(zmq::REQ, address);
    socket.send_multipart(frames, 0).unwrap();
    socket.recv_bytes(0).map_err(|error| error.to_string())
}

fn grpc_client(address: &str) -> grpcio::Client {
    let environment = Arc::new(EnvBuilder::new().cq_count(1).build());
    let channel = ChannelBuilder::new(environment).use_local_subchannel_pool(true);
    grpcio::Client::new(channel.connect(address))
}

fn exchange_grpc(address: &str, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let deadline = CallOption::default().timeout(DEADLINE);
    let reply = grpc_client(address).unary_call(&RESPOND, &bytes.to_vec(), deadline);
    reply.map_err(|error| error.to_string())
}

fn exchange_on_stream(address: &str, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let deadline = CallOption::default().timeout(DEADLINE);
    // Must outlive the call: dropping the client ends the threads of its completion queues.
    let client = grpc_client(address);
    let stream = client.duplex_streaming(&CONVERSE, deadline);
    let (mut requests, mut replies) = stream.map_err(|error| error.to_string())?;
    block_on(async {
        let sent = requests.send((bytes.to_vec(), WriteFlags::default())).await;
        sent.map_err(|error| error.to_string())?;
        let reply = replies.try_next().await.map_err(|error| error.to_string())?;
        match requests.close().await {
            // The call may have finished before `close` is polled.
            Ok(()) | Err(grpcio::Error::RpcFinished(None)) => {}
            Err(error) => return Err(error.to_string()),
        }
        // After the client closes its side, the server ends the stream with OK.
        let end = replies.try_next().await.map_err(|error| error.to_string())?;
        assert_eq!(end, None);
        reply.ok_or_else(|| "the stream ended without a reply".to_owned())
    })
}

/// A message with the 4-byte big-endian length prefix of the `tcp` baseline.
pub fn framed(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes(), bytes].concat()
}

fn exchange_framed(address: &str, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.write_all(&framed(bytes))?;
    read_framed(&mut stream)
}

/// Reads the next length-prefixed message.
pub fn read_framed(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut message)?;
    Ok(message)
}

/// Sends one message and disconnects before the reply arrives.
pub fn send_and_disconnect(wire: Wire, address: &str, bytes: &[u8]) {
    match wire {
        // Closing the socket still sends the pending message within the linger period.
        Wire::ZeroMq => zmq_socket(zmq::REQ, address).send(bytes, 0).unwrap(),
        Wire::Grpc => {
            let client = grpc_client(address);
            let call = client.unary_call_async(&RESPOND, &bytes.to_vec(), CallOption::default());
            drop(call.unwrap());
        }
        Wire::GrpcStream => {
            let client = grpc_client(address);
            let (mut requests, replies) =
                client.duplex_streaming(&CONVERSE, CallOption::default()).unwrap();
            let sent = block_on(requests.send((bytes.to_vec(), WriteFlags::default())));
            drop((sent.unwrap(), requests, replies));
        }
        Wire::Framed => {
            TcpStream::connect(address).unwrap().write_all(&framed(bytes)).unwrap();
        }
    }
}
