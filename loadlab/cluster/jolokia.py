"""Asking Jolokia's agent in a broker for attributes of its MBeans: many in one request."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Sequence

# What a bean said: attributes by name; by bean and then by attribute where its name is a pattern.
Attributes: TypeAlias = dict[str, Any]
_OK = 200
_HEADERS = {"Origin": "http://loadlab"}  # the one that files/telemetry/access.xml lets in


@dataclass(frozen=True)
class Bean:
    """An MBean, or a pattern that matches several, and the attributes wanted of it."""

    name: str
    attributes: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """What all beans said, in the order in which they were asked, and when (CLOCK_MONOTONIC)."""

    before_ns: int
    after_ns: int
    values: tuple[Attributes, ...]


def read(address: str, beans: Sequence[Bean], timeout_s: float) -> Reading:
    """Read all attributes in one request.

    Raises:
        ClusterError: nobody answers in time, or a bean is not there.
    """
    asked = [{"type": "read", "mbean": one.name, "attribute": list(one.attributes)} for one in beans]
    before_ns = time.monotonic_ns()
    try:
        answers = json.loads(_post(address, json.dumps(asked), timeout_s))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ClusterError(f"no telemetry from {address}: {error or type(error).__name__}") from error
    after_ns = time.monotonic_ns()
    if not isinstance(answers, list) or len(answers) != len(beans):
        raise ClusterError(f"no telemetry from {address}: {str(answers)[:200]}")
    for bean, answer in zip(beans, answers, strict=True):
        if answer.get("status") != _OK:
            raise ClusterError(f"no telemetry from {address}: {bean.name}: {answer.get('error')}")
    return Reading(before_ns, after_ns, tuple(answer["value"] for answer in answers))


def _post(address: str, body: str, timeout_s: float) -> bytes:
    connection = http.client.HTTPConnection(address, timeout=timeout_s)
    try:
        connection.request("POST", "/jolokia/", body, _HEADERS)
        return connection.getresponse().read()
    finally:
        connection.close()
