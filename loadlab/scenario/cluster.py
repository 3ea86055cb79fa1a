"""The cluster that a scenario asks for, and which provider can honour which field."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator

from loadlab import units
from loadlab.hints import HintedError
from loadlab.scenario.fields import (
    Cpuset,
    Duration,
    Model,
    Number,
    PositiveSize,
    Properties,
    Whole,
)

Provider = Literal["auto", "docker", "local", "embedded", "external"]

DEFAULT_KAFKA_VERSION: Final = "4.3.1"

_VERSION: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){0,2}")
_OLDEST: Final = (3, 7, 0)
_LEAST_BYTES: Final = 64 << 20
_MOST_GIB: Final = 1024
_ENDPOINT: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
_OWN_CLUSTER: Final = frozenset({"brokers", "kafka_version", "config", "resources", "cpuset"})

PROVIDER_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "auto": _OWN_CLUSTER | {"network"},
    "docker": _OWN_CLUSTER | {"network"},
    "local": _OWN_CLUSTER,
    "embedded": frozenset({"brokers", "round_trip"}),
    "external": frozenset({"bootstrap_servers", "client_properties", "cluster_id"}),
}
"""The fields of ``cluster`` that each provider honours, by the names they have in the file."""

KAFKA_PROVIDERS: Final = frozenset({"auto", "docker", "local"})
"""Those by which Kafka itself is started, with the properties of ``cluster.config``."""

BROKER_LIMITS: Final[Mapping[str, int]] = {
    "message.max.bytes": 1_048_588,
    "socket.request.max.bytes": 104_857_600,
}
"""Kafka's own limits on what a broker takes, in bytes."""

LOCAL_RESOURCES: Final = frozenset({"heap"})
"""The resources that the local provider can hold a broker to: a JVM takes its heap and no more."""


class Resources(Model):
    """What one broker may use."""

    cpus: Number | None = Field(default=None, gt=0, le=1024)
    memory_bytes: PositiveSize | None = Field(default=None, alias="memory")
    heap_bytes: PositiveSize | None = Field(default=None, alias="heap")

    @field_validator("memory_bytes", "heap_bytes")
    @classmethod
    def _enough_for_a_broker(cls, value: int | None) -> int | None:
        if value is not None and value < _LEAST_BYTES:
            meant = f"{value}GiB" if value < _MOST_GIB else None  # by somebody who left the unit out
            raise HintedError(f"no broker can start in {units.format_size(value)}", meant)
        return value


class ClusterSpec(Model):
    """The cluster: which provider makes it, of which size and version, and its brokers' properties."""

    provider: Provider = "auto"
    brokers: Annotated[Whole, Field(ge=1, le=64)] = 1
    kafka_version: str = DEFAULT_KAFKA_VERSION
    network: Literal["auto", "host", "bridge"] = "auto"
    config: Properties
    resources: Resources | None = None
    cpuset: Cpuset | None = None
    bootstrap_servers: str | None = None
    client_properties: Path | None = None
    cluster_id: str | None = Field(default=None, min_length=1, max_length=128)
    round_trip_s: Duration | None = Field(default=None, alias="round_trip", le=60)

    @field_validator("kafka_version", mode="before")
    @classmethod
    def _version(cls, value: object) -> object:
        text = value if isinstance(value, str) and _VERSION.fullmatch(value) else ""
        parts = tuple(map(int, text.split("."))) if text else ()
        if parts < _OLDEST[: len(parts)]:
            raise HintedError(f"{value} is too old: clusters need KRaft with combined roles, 3.7.0 or later")
        if len(parts) != len(_OLDEST):
            raise HintedError(
                f'must be a version of three numbers such as "4.3.1", not {value}', DEFAULT_KAFKA_VERSION
            )
        return value

    @field_validator("round_trip_s")
    @classmethod
    def _whole_ms(cls, value: float | None) -> float | None:
        if value is not None and not math.isclose(value * 1000, round(value * 1000), abs_tol=1e-9):
            raise HintedError(
                "the mock's round trips are of whole milliseconds", f"{math.ceil(value * 1000)}ms"
            )
        return value

    @field_validator("bootstrap_servers")
    @classmethod
    def _endpoints(cls, value: str | None) -> str | None:
        for endpoint in (value or "").split(",") if value is not None else ():
            found = _ENDPOINT.fullmatch(endpoint.strip())
            if found is None or not 0 < int(found[2]) < 2**16:
                raise HintedError(f'"{endpoint.strip()}" is no host:port such as 127.0.0.1:9092')
        return value


def set_aside(cluster: Mapping[str, object], provider: str) -> list[tuple[str, ...]]:
    """The paths within ``cluster`` that a provider can't honour."""
    fields = PROVIDER_FIELDS.get(provider, frozenset(cluster)) | {"provider"}
    paths: list[tuple[str, ...]] = [(key,) for key in cluster if key not in fields]
    resources = cluster.get("resources")
    if provider == "local" and isinstance(resources, Mapping):
        paths += [("resources", key) for key in resources if key not in LOCAL_RESOURCES]
    return paths


def is_loopback(endpoint: str) -> bool:
    """Whether a ``host:port`` can only be this machine."""
    host = endpoint.strip().rpartition(":")[0].strip("[]").lower()
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
