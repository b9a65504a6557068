#!/usr/bin/env bash
# Container health check: asks Kafka for the metadata of its cluster, and is content if a broker is in it: one that
# has started, joined, and been unfenced by the controller. The request is written out, because Kafka's own tools
# start a JVM each time, which takes a core for a second.
set -euo pipefail
exec 3<>"/dev/tcp/127.0.0.1/${1:-9092}"
# Length (14), key of Metadata (3), version (1), correlation id (1), no client id (-1), no topics (0).
printf '\x00\x00\x00\x0e\x00\x03\x00\x01\x00\x00\x00\x01\xff\xff\x00\x00\x00\x00' >&3
# Of the answer: length, correlation id, number of brokers, four bytes each.
answer=$(head -c 12 <&3 | od -A n -t x1 | tr -d ' \n')
brokers=$((16#${answer:16:8}))
echo "brokers: $brokers"
[ "$brokers" -gt 0 ]
