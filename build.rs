//! Turns `proto/message.proto` into Rust, with a parser of its own: no protoc is needed.

fn main() {
    println!("cargo:rerun-if-changed=proto/message.proto");
    protobuf_codegen::Codegen::new()
        .pure()
        .include("proto")
        .input("proto/message.proto")
        .cargo_out_dir("wire")
        .run_from_script();
}
