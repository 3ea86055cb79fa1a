"""Where a container engine runs, seen from here: which addresses lead to its brokers hangs on that."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

_MARKS_OF_CONTAINERS = ("/.dockerenv", "/run/.containerenv")
_LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class EnginePlace:
    """Where an engine runs.

    Attributes:
        url: where it is reached, as the docker SDK writes it.
        info: what it says of itself.
    """

    url: str
    info: Mapping[str, Any]

    @property
    def is_near(self) -> bool:
        """Whether its ports can be published where this machine reaches them: on 127.0.0.1."""
        if self._has_socket:
            return not self._is_outside
        return urlsplit(self.url).hostname in _LOOPBACK_HOSTS

    @property
    def shares_loopback(self) -> bool:
        """Whether a container on the host's network has this machine's loopback address."""
        options = " ".join(self.info.get("SecurityOptions") or [])
        is_desktop = "Docker Desktop" in str(self.info.get("OperatingSystem"))
        is_here = self._has_socket and not self._is_outside
        return is_here and sys.platform == "linux" and not is_desktop and "rootless" not in options

    @property
    def why_far(self) -> str:
        """What stands against an engine that is not near."""
        where = "outside this container" if self._has_socket else "on another machine"
        return f"{where}, and has another loopback address"

    @property
    def _has_socket(self) -> bool:
        """Whether it is reached by a Unix socket of this machine."""
        url = urlsplit(self.url)
        return url.scheme == "http+docker" and url.hostname != "ssh"

    @property
    def _is_outside(self) -> bool:
        """Whether its socket was given to the container that this process is in.

        A container on its host's network has the host's name, and its loopback address.
        """
        in_container = any(map(os.path.exists, _MARKS_OF_CONTAINERS))
        return in_container and self.info.get("Name") != socket.gethostname()
