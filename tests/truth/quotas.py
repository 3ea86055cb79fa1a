"""Sets a client quota by Kafka's own protocol: librdkafka's admin client has no call for it."""

from __future__ import annotations

import socket
import struct

_ALTER_CLIENT_QUOTAS = 49


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


def limit_producers(bootstrap_servers: str, bytes_per_s: float) -> None:
    """Holds each client.id to a rate of producing: AlterClientQuotas version 0, for the default client.id."""
    host, _, port = bootstrap_servers.partition(",")[0].rpartition(":")
    header = struct.pack(">hhi", _ALTER_CLIENT_QUOTAS, 0, 1) + _text("truth")
    entity = struct.pack(">i", 1) + _text("client-id") + struct.pack(">h", -1)
    change = struct.pack(">i", 1) + _text("producer_byte_rate") + struct.pack(">dB", bytes_per_s, 0)
    request = header + struct.pack(">i", 1) + entity + change + struct.pack(">B", 0)
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        answer = connection.makefile("rb")
        (size,) = struct.unpack(">i", answer.read(4))
        # Correlation id, throttle time and the number of entries stand before the first entry's error code.
        correlation, _, entries, error = struct.unpack_from(">iiih", answer.read(size))
    assert (correlation, entries, error) == (1, 1, 0)
