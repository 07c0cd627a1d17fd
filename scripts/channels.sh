#!/usr/bin/env bash
# gRPC's own clients: a channel for each against one for all, calls against streams, over the
# server's completion queues.
#
#   ./scripts/channels.sh
#
# Ctrl-C ends it; run again with the same OUT, it continues where it stopped.
#
#   COUNTS       numbers of clients              1 4 8 16 24
#   CHANNELS     who has one                     per-client shared
#   QUEUES       completion queues               1 2 4
#   SYSTEMS      what has channels               grpc grpc-stream
#   TUNING       default, throughput, or both    default
#   TRIALS       passes over all points          5
#   SERVER_CPUS  auto (the first), all, a list   auto
#   DURATION     counted time of each contender  500ms
#   WARMUP       time under load before that     200ms
#   OUT          directory of the results        results/<date and time>-channels
set -euo pipefail
source "$(dirname "$0")/lib.sh"

COUNTS=${COUNTS:-1 4 8 16 24}
CHANNELS=${CHANNELS:-per-client shared}
QUEUES=${QUEUES:-1 2 4}
SYSTEMS=${SYSTEMS:-grpc grpc-stream}
TUNING=${TUNING:-default}
TRIALS=${TRIALS:-5}
SERVER_CPUS=${SERVER_CPUS:-auto}
DURATION=${DURATION:-500ms}
WARMUP=${WARMUP:-200ms}
OUT=${OUT:-$root/results/$(date +%Y-%m-%d-%H%M%S)-channels}
# A lean client is a connection, and shares none.
DRIVER=native

points() {
    local clients channels queues all
    for clients in $COUNTS; do
        for channels in $CHANNELS; do
            all=
            for queues in $QUEUES; do all+="$(contenders ",completion-queues=$queues") "; done
            echo "$all--clients $clients --channels $channels"
        done
    done | shuf
}

begin COUNTS CHANNELS QUEUES SYSTEMS TUNING TRIALS SERVER_CPUS DURATION WARMUP
sweep points
finish
