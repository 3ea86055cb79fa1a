"""A plain confluent-kafka producer that keeps each record's latency: what one would write without loadlab.

Arguments: bootstrap servers, topic, seconds, record size in bytes. Prints records acked and seconds taken.
"""

from __future__ import annotations

import sys
import time

from confluent_kafka import Producer


def main(bootstrap_servers: str, topic: str, seconds: float, record_bytes: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap_servers, "acks": "all"})
    producer.list_topics(topic, timeout=10)
    value = b"x" * record_bytes
    latencies_s: list[float] = []
    start_s = time.monotonic()
    while (now_s := time.monotonic()) < start_s + seconds:

        def acked(error: object, message: object, sent_s: float = now_s) -> None:  # noqa: ARG001
            if error is None:
                latencies_s.append(time.monotonic() - sent_s)

        try:
            producer.produce(topic, value, on_delivery=acked)
        except BufferError:
            producer.poll(0.01)
        producer.poll(0)
    in_time = len(latencies_s)
    elapsed_s = time.monotonic() - start_s
    producer.flush(30)
    print(in_time, elapsed_s)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
