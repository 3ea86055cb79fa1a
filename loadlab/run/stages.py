"""Where the time goes: the stages of a producer group's mean publish latency.

Sums of times over the same records add up, and so do means: no stage is fitted to another. What the sums do
not cover is shown as `unexplained`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadlab.measurement.slab import ACK_LANE, AckMetric, Phase
from loadlab.results.model import Stage
from loadlab.run.readings import merged
from loadlab.units import NS_PER_US

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadlab.results.model_brokers import BrokerResult, Requests
    from loadlab.run.fleet import WorkerProcess

UNEXPLAINED: Final = "unexplained"
NETWORK_AND_BROKER: Final = "network_and_broker"
SOCKET: Final = "network_and_socket_wait"

LEAST_BROKER_TIME_US: Final = 5_000.0
"""Brokers round their times to whole milliseconds: below this mean their stages are not told apart."""

SAME_SHARE: Final = 0.1
"""How far two figures may be apart that are to be of the same requests."""

_US_PER_MS: Final = 1_000


@dataclass(frozen=True)
class BrokerTimes:
    """The mean produce request of the measure phase, by all brokers' own account.

    Attributes:
        requests_per_s: how many there were.
        stages_us: its way through a broker, by stage, without a quota's mute, which comes after the response.
    """

    requests_per_s: float
    stages_us: Mapping[str, float]

    @classmethod
    def of(cls, brokers: Mapping[str, BrokerResult], expected: int) -> BrokerTimes | None:
        """Adds up what the brokers told; None unless all that are expected did."""
        served = [broker for broker in brokers.values() if broker.produce.count]
        requests = sum(broker.produce.count for broker in served)
        if len(brokers) < expected or not requests:
            return None

        def mean_us(*names: str) -> float:
            sums_ms = (_sum_ms(broker.produce, name) for broker in served for name in names)
            return sum(sums_ms) / requests * _US_PER_MS

        return cls(
            requests_per_s=sum(broker.produce.count / broker.covered_s for broker in served),
            stages_us={
                "broker_queue": mean_us("request_queue_ms"),
                "local_append": mean_us("local_ms"),
                "waiting_for_followers": mean_us("remote_ms"),
                "response": mean_us("response_queue_ms", "response_send_ms"),
            },
        )


def _sum_ms(requests: Requests, name: str) -> float:
    return requests.count * float(getattr(requests, name) or 0.0)


@dataclass(frozen=True)
class StageSums:
    """What a producer group's workers added up over the acked records of the measure phase, in nanoseconds.

    Attributes:
        acked: records.
        publish_ns: their publish latencies.
        service_ns: their service times.
        stages_ns: their stages as far as they are known, in the order in which a record goes through them.
        requests: in which they were sent.
        round_trips_ns: of each request once.
    """

    acked: int
    publish_ns: int
    service_ns: int
    stages_ns: Mapping[str, int]
    requests: int = 0
    round_trips_ns: int = 0

    @classmethod
    def of(cls, workers: Sequence[WorkerProcess]) -> StageSums:
        """Adds up the slabs of a group's workers."""
        publish_latency = merged(workers, ACK_LANE, AckMetric.PUBLISH_LATENCY)

        def total(name: str) -> int:
            return sum(int(worker.slab.record["stages"][name][0, Phase.MEASURE]) for worker in workers)

        return cls(
            acked=publish_latency.count,
            publish_ns=publish_latency.total_ns,
            service_ns=merged(workers, ACK_LANE, AckMetric.SERVICE_TIME).total_ns,
            stages_ns={
                "batching": total("batching_ns"),
                "client_queue": total("client_queue_ns"),
                "throttle": total("throttled_ns"),
                NETWORK_AND_BROKER: total("request_ns"),
                "delivery_report": total("report_ns"),
            },
            requests=total("requests"),
            round_trips_ns=total("round_trips_ns"),
        )


def stages(
    sums: StageSums, brokers: BrokerTimes | None, *, at_max_rate: bool, measured_s: float
) -> tuple[Stage, ...]:
    """The stages of the mean publish latency, `unexplained` last; none where no record was acked.

    Args:
        sums: of the group.
        brokers: what the brokers told of produce requests, None where they told nothing.
        at_max_rate: there is no intended time: the publish latency is the service time.
        measured_s: length of the measure phase.
    """
    if sums.acked == 0:
        return ()
    whole_ns = sums.service_ns if at_max_rate else sums.publish_ns
    mean_us = whole_ns / sums.acked / NS_PER_US
    parts_us = {"send_delay": (whole_ns - sums.service_ns) / sums.acked / NS_PER_US}
    for name, part_ns in sums.stages_ns.items():
        part_us = part_ns / sums.acked / NS_PER_US
        if name == NETWORK_AND_BROKER and brokers and _splits(sums, brokers, measured_s):
            parts_us |= _split(part_us, brokers)
        else:
            parts_us[name] = part_us
    # To the nanosecond: what binary fractions leave of a difference is not unexplained.
    parts_us[UNEXPLAINED] = round(mean_us - sum(parts_us.values()), 3) + 0.0
    return tuple(
        Stage(name=name, mean_us=part_us, share=part_us / mean_us if mean_us else 0.0)
        for name, part_us in parts_us.items()
    )


def _splits(sums: StageSums, brokers: BrokerTimes, measured_s: float) -> bool:
    """Whether the brokers' mean request says what this group's mean record met.

    Their times must be long beside a millisecond, the requests this group's and nobody else's, and requests
    of many records no slower or faster than those of few.
    """
    if not sums.requests:
        return False
    round_trip_ns = (sums.stages_ns[NETWORK_AND_BROKER] + sums.stages_ns.get("throttle", 0)) / sums.acked
    return (
        sum(brokers.stages_us.values()) >= LEAST_BROKER_TIME_US
        and _same(brokers.requests_per_s, sums.requests / measured_s)
        and _same(round_trip_ns, sums.round_trips_ns / sums.requests)
    )


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= SAME_SHARE * max(one, other)


def _split(round_trip_us: float, brokers: BrokerTimes) -> dict[str, float]:
    """The brokers' stages, and what is left of the round trip; no less than nothing."""
    return {**brokers.stages_us, SOCKET: max(0.0, round_trip_us - sum(brokers.stages_us.values()))}
