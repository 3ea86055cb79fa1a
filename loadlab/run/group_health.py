"""The status of a consumer group over the samples of its committed offsets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loadlab.measurement.group_status import NOT_JUDGED, GroupStatus, judge
from loadlab.results.model_groups import ConsumerStatus
from loadlab.run.samples import in_measure_phase

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from loadlab.results.model_groups import GroupStatusName
    from loadlab.run.samples import Group, Sample
    from loadlab.run.timeline import Timeline


def group_status(group: Group, samples: Sequence[Sample], timeline: Timeline) -> ConsumerStatus | None:
    """How a group did in the measure phase.

    Samples count from the one on that shows a commit of the group: before that it may not even have started.
    None where it never committed, or the measure phase has no sample with a whole window before it.
    """
    told = [(sample, at) for sample in samples if (at := sample.groups[group.name].committed) is not None]
    begun = [
        place
        for place, (sample, at) in enumerate(told)
        if sample.groups[group.name].has_committed and (at != group.start).any()
    ]
    if not begun:
        return None
    told = told[begun[0] :]
    inside = {sample.at_ns for sample in in_measure_phase(samples, timeline)}
    found = judge(
        np.array([sample.at_ns for sample, _ in told]),
        np.array([[sample.ends[partition] for partition in group.partitions] for sample, _ in told]),
        np.array([at for _, at in told]),
    )
    rows = [row for (sample, _), row in zip(told, found, strict=True) if sample.at_ns in inside]
    judged = [row for row in rows if NOT_JUDGED not in row]
    return _status(group, judged) if judged else None


def _status(group: Group, judged: Sequence[npt.NDArray[np.int8]]) -> ConsumerStatus:
    return ConsumerStatus(
        final=_name(judged[-1].max()),
        worst=_name(max(row.max() for row in judged)),
        by_partition=dict(_by_partition(group, judged[-1])),
    )


def _by_partition(group: Group, statuses: npt.NDArray[np.int8]) -> Iterator[tuple[str, GroupStatusName]]:
    for (topic, number), status in zip(group.partitions, statuses, strict=True):
        yield f"{topic}-{number}", _name(status)


def _name(status: int) -> GroupStatusName:
    names: dict[GroupStatus, GroupStatusName] = {
        GroupStatus.OK: "OK",
        GroupStatus.WARN: "WARN",
        GroupStatus.STALL: "STALL",
        GroupStatus.STOP: "STOP",
    }
    return names[GroupStatus(int(status))]
