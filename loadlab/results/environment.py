"""What the machine is that generates the load."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

import psutil

import loadlab
from loadlab.results.model_environment import HostEnvironment

_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
_CPU_INFO = Path("/proc/cpuinfo")
_GIT_TIMEOUT_S = 5.0


def capture_host() -> HostEnvironment:
    """Ask the machine; called before the load starts, since the load average is of that moment."""
    return HostEnvironment(
        cpu_model=_cpu_model(_read(_CPU_INFO)),
        cores=len(os.sched_getaffinity(0)),
        cpu_governor=_read(_GOVERNOR).strip() or None,
        memory_bytes=psutil.virtual_memory().total,
        kernel=platform.release(),
        os=_os_name(),
        load_average_1m=os.getloadavg()[0],
        python=platform.python_version(),
        loadlab=loadlab.__version__,
        confluent_kafka=_version_of("confluent-kafka"),
        numba=_version_of("numba"),
        numpy=_version_of("numpy"),
        git_commit=_git_commit(Path(loadlab.__file__).parent.parent),
    )


def _read(path: Path) -> str:
    """A small file of the kernel's; empty where this machine doesn't have it."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _cpu_model(cpu_info: str) -> str | None:
    """The model in /proc/cpuinfo; ARM kernels name none there."""
    for line in cpu_info.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.processor() or None


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _version_of(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git_commit(checkout: Path) -> str | None:
    """The commit of a checkout, with "+" where files differ from it; None where loadlab is installed."""
    if not (checkout / ".git").exists():
        return None
    commit = _git(checkout, "rev-parse", "--short=12", "HEAD")
    if commit is None:
        return None
    return f"{commit}+" if _git(checkout, "status", "--porcelain", "--untracked-files=no") else commit


def _git(checkout: Path, *arguments: str) -> str | None:
    """What git answers; None where there is no git, or it refuses."""
    try:
        done = subprocess.run(
            ["git", "-C", str(checkout), *arguments],
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
