"""Where the time goes: the stages of a producer group's mean publish latency.

Sums of times over the same records add up, and so do means: no stage is fitted to another. What the sums do
not cover is shown as `unexplained`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadlab.measurement.slab import ACK_LANE, Metric, Phase
from loadlab.results.model import Stage
from loadlab.run.readings import merged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadlab.run.fleet import WorkerProcess

UNEXPLAINED: Final = "unexplained"
_NS_PER_US: Final = 1_000


@dataclass(frozen=True)
class StageSums:
    """What a producer group's workers added up over the acked records of the measure phase, in nanoseconds.

    Attributes:
        acked: records.
        publish_ns: their publish latencies.
        service_ns: their service times.
        stages_ns: their stages as far as they are known, in the order in which a record goes through them.
    """

    acked: int
    publish_ns: int
    service_ns: int
    stages_ns: Mapping[str, int]

    @classmethod
    def of(cls, workers: Sequence[WorkerProcess]) -> StageSums:
        """Adds up the slabs of a group's workers."""
        publish_latency = merged(workers, ACK_LANE, Metric.PUBLISH_LATENCY)

        def total_ns(name: str) -> int:
            return sum(int(worker.slab.record["stages"][name][0, Phase.MEASURE]) for worker in workers)

        return cls(
            acked=publish_latency.count,
            publish_ns=publish_latency.total_ns,
            service_ns=merged(workers, ACK_LANE, Metric.SERVICE_TIME).total_ns,
            stages_ns={
                "batching": total_ns("batching_ns"),
                "client_queue": total_ns("client_queue_ns"),
                "network_and_broker": total_ns("request_ns"),
                "delivery_report": total_ns("report_ns"),
            },
        )


def stages(sums: StageSums, *, at_max_rate: bool) -> tuple[Stage, ...]:
    """The stages of the mean publish latency, `unexplained` last; none where no record was acked.

    Args:
        sums: of the group.
        at_max_rate: there is no intended time: the publish latency is the service time.
    """
    if sums.acked == 0:
        return ()
    whole_ns = sums.service_ns if at_max_rate else sums.publish_ns
    parts_ns = {"send_delay": whole_ns - sums.service_ns, **sums.stages_ns}
    parts_ns[UNEXPLAINED] = whole_ns - sum(parts_ns.values())
    return tuple(
        Stage(
            name=name,
            mean_us=part_ns / sums.acked / _NS_PER_US,
            share=part_ns / whole_ns if whole_ns else 0.0,
        )
        for name, part_ns in parts_ns.items()
    )
