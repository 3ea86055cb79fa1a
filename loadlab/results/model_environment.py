"""Where a run was measured: the machine, the versions and what was really configured."""

from __future__ import annotations

from pydantic import Field

from loadlab.results.model_base import Measured, Model


class HostEnvironment(Model):
    """The machine and the programs that generated the load; None where the machine doesn't tell.

    The host's name is left out on purpose: results are passed on.

    Attributes:
        cpu_model: as the kernel names it.
        cores: logical CPUs that this process may use.
        cpu_governor: frequency governor of the first CPU.
        memory_bytes: RAM.
        kernel: release of the kernel.
        os: distribution and version.
        load_average_1m: processes that wanted a CPU, mean of the minute before the start.
        python: version, as are loadlab, confluent_kafka, numba and numpy.
        git_commit: of loadlab, where it runs from a checkout; with "+" after it where files differ from it.
    """

    cpu_model: str | None
    cores: int
    cpu_governor: str | None = None
    memory_bytes: int
    kernel: str
    os: str
    load_average_1m: float
    python: str
    loadlab: str
    confluent_kafka: str | None = None
    numba: str | None = None
    numpy: str | None = None
    git_commit: str | None = None


class Environment(HostEnvironment):
    """The host and what only the run knows.

    Attributes:
        librdkafka: version of the library that sent and received.
        java: version of the brokers' Java, where the machine runs it.
        container_engine: its name and version, such as "docker 28.1.0".
        image: the brokers' image.
        data_written_bytes: keys and values that the logs grew by, before compression, replicas not counted;
            against memory_bytes it says whether reads came from the page cache.
        flush: log.flush.interval.messages and log.flush.interval.ms, as in force; empty where the brokers did
            not tell.
        broker_config: properties of the brokers that aren't their default; empty where they did not tell.
        topic_config: by topic: all properties as in force; empty where the brokers did not tell.
        traces: by producer: the SHA-256 of the trace that it replayed; without those that have none.
        client_config: by group: all properties as in force, librdkafka's defaults included.
    """

    librdkafka: str | None = None
    java: str | None = None
    container_engine: str | None = None
    image: str | None = None
    data_written_bytes: int | None = None
    flush: dict[str, str] = Field(default_factory=dict)
    broker_config: dict[str, str] = Field(default_factory=dict)
    topic_config: dict[str, dict[str, str]] = Field(default_factory=dict)
    traces: dict[str, str] = Field(default_factory=dict)
    client_config: dict[str, dict[str, str]] = Field(default_factory=dict)


class MachineUse(Model):
    """Who used the measuring machine in the measure phase, as shares of the time of all its cores.

    Attributes:
        busy_share: anybody.
        workers_share: the run's workers and the process that watches them; None where one of them died.
        brokers_share: the brokers; None where they are elsewhere, not known, or one of them died.
        foreign_share: everybody else; None where it can't be told from the others.
        steal_share: wanted, and given to other machines by the hypervisor.
        throttled_share: of a CPU quota's periods, those in which it stopped the run's own processes; None
            where they have none.
        shared_cores: on how many cores both workers and brokers may run: there they slow each other down,
            and throughput is that of both together. None where the brokers are elsewhere.
    """

    busy_share: float
    workers_share: Measured = None
    brokers_share: Measured = None
    foreign_share: Measured = None
    steal_share: float
    throttled_share: Measured = None
    shared_cores: int | None = None
