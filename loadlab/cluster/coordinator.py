"""Asking a broker for a group's coordinator, in the protocol itself.

The question makes Kafka create __consumer_offsets, and the answer tells when groups can be served. librdkafka
offers no sound way to it: its admin client aborts the process while a coordinator is being found (its issue
4605), and a consumer asks again only in its own steps, which cost each start a second.
"""

from __future__ import annotations

import socket
import struct

_FIND_COORDINATOR = 10  # api key
_VERSION = 2  # the last without tagged fields; every Kafka since 2.0 takes it
_GROUP = 0  # key type
_CLIENT_ID = b"loadlab"
_HEADER = struct.Struct(">hhih")  # api key, version, correlation id, length of the client id
_ANSWER = struct.Struct(">iih")  # correlation id, throttle time, error code
_NO_ERROR = 0


def has_coordinator(address: str, group_id: str, timeout_s: float) -> bool:
    """Say whether a broker knows the coordinator of a group.

    Args:
        address: the broker's plaintext listener, host:port.
        group_id: any group.
        timeout_s: the longest wait for the answer; no answer is a no.
    """
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(_request(group_id.encode()))
            with connection.makefile("rb") as stream:
                answer = stream.read(4 + _ANSWER.size)
    except OSError:
        return False
    return len(answer) == 4 + _ANSWER.size and _ANSWER.unpack(answer[4:])[2] == _NO_ERROR


def _request(group: bytes) -> bytes:
    header = _HEADER.pack(_FIND_COORDINATOR, _VERSION, 1, len(_CLIENT_ID)) + _CLIENT_ID
    body = struct.pack(">h", len(group)) + group + struct.pack(">b", _GROUP)
    return struct.pack(">i", len(header) + len(body)) + header + body
