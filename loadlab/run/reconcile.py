"""Do producers, log and consumers agree, and can the run be trusted?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadlab.measurement.correctness import Correctness
from loadlab.measurement.generator import is_saturated
from loadlab.measurement.slab import ACK_LANE, CONSUME_LANE, Counter, Phase
from loadlab.measurement.validity import Judgement, RunFigures, judge
from loadlab.results.model import Reason, Reconciliation, Verdict
from loadlab.run.findings import examples, group_reconciliations
from loadlab.run.readings import total
from loadlab.run.samples import begins, positions
from loadlab.run.steady import drifts
from loadlab.scenario.client_settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadlab.measurement.generator import ProducerFigures
    from loadlab.run.account import Account, Found
    from loadlab.run.consumer_group import ConsumerGroup
    from loadlab.run.ended import EndedRun
    from loadlab.run.producer_group import ProducerGroup
    from loadlab.run.samples import Partition


def growth(run: EndedRun) -> dict[Partition, int] | None:
    """Records by which each log end moved over the run; None where not all logs could be asked."""
    final = run.load.final
    if final is None or run.changed or set(final.ends) != set(run.baseline):
        return None
    return {partition: end - run.baseline[partition] for partition, end in final.ends.items()}


def reconcile(run: EndedRun) -> Reconciliation:
    """Compares what was acked, what the log holds and what was read, over the whole run."""
    fleet = run.load.fleet
    acked = total(fleet.producers, ACK_LANE, Counter.ACKED, None, by="by_intent")
    groups = run.consumers()
    consumed = {
        name: total(group.workers, CONSUME_LANE, Counter.CONSUMED, None, by="by_intent")
        for name, group in groups.items()
    }
    grown = growth(run)
    # What grows without a producer of this run is somebody else's.
    ours = {topic for plan in run.load.plan.producers for topic in plan.topics}
    log_end_growth = None if grown is None else sum(by for (topic, _), by in grown.items() if topic in ours)
    left = [group.to_read(run.log_starts) for group in groups.values()]
    fates = [producer.records(None) for producer in run.producers().values()]
    told = Reconciliation(
        acked=acked,
        failed=sum(records.failed for records in fates),
        indeterminate=sum(records.indeterminate for records in fates),
        rejected=sum(records.rejected for records in fates),
        log_end_growth=log_end_growth,
        consumed=consumed,
        unseen=None if run.load.final is None or None in left else sum(filter(None, left)),
        evicted=skipped(run) if run.cluster.info.kind == "mock" else 0,
    )
    if run.account is not None and run.found is not None:
        return _with_ledger(run, told, run.account, run.found)
    surplus = None if log_end_growth is None else log_end_growth - acked
    unexplained = None if surplus is None else _unexplained(run, surplus, told.indeterminate)
    evicted = skipped(run) if _keeps_each_offset(run) else told.evicted
    return told.model_copy(update={"unexplained": unexplained, "evicted": evicted})


def _keeps_each_offset(run: EndedRun) -> bool:
    """Whether each offset of the run's topics is a record, until retention takes it."""
    existing = any(topic.existing for topic in run.scenario.topics.values())
    policies = (topic.config.get("cleanup.policy", "") for topic in run.load.plan.topics)
    return not existing and not any("compact" in policy for policy in policies)


def _with_ledger(run: EndedRun, told: Reconciliation, account: Account, found: Found) -> Reconciliation:
    """Adds what the ledger knows."""
    groups = group_reconciliations(account, found)
    grown = told.log_end_growth
    surplus = None if grown is None else grown - told.acked - found.duplicated - found.found
    doubtful = told.indeterminate - found.found - found.absent
    return told.model_copy(
        update={
            "lost": None if any(group.lost is None for group in groups.values()) else found.lost,
            "lost_at_least": found.lost,
            "duplicated": found.duplicated,
            "reordered": found.reordered,
            # Of records without a stamp the ledger knows nothing, and the mock only that they were gone.
            "evicted": max(told.evicted, sum(group.evicted for group in groups.values())),
            "unexplained": None if surplus is None else _unexplained(run, surplus, doubtful),
            "groups": groups,
            "examples": tuple(examples(account, found)),
        }
    )


def skipped(run: EndedRun) -> int:
    """Offsets that groups have gone past without reading a record there."""
    skipped = 0
    for group in run.consumers().values():
        consumed = total(group.workers, CONSUME_LANE, Counter.CONSUMED, None, by="by_intent")
        skipped += max(0, _passed(group) - consumed)
    return skipped


def _passed(group: ConsumerGroup) -> int:
    """Offsets that a group has gone past, read or not."""
    at = positions(group.workers, group.group)
    return int((at - begins(group.workers, group.group)).sum())


def _unexplained(run: EndedRun, surplus: int, doubtful: int) -> int | None:
    """What of the log's surplus over what is known to be in it nothing accounts for.

    Args:
        run: which.
        surplus: records by which the log holds more.
        doubtful: records that may or may not be among them.

    Returns:
        None where acks that the producers chose leave it open: with acks=0 one says nothing of the log, with
        acks=1 it may come before the log's end has moved, which waits for the followers.
    """
    if 0 <= surplus <= doubtful:
        return 0
    if surplus < 0 and any(_is_acked_early(run, group) for group in run.producers().values()):
        return None
    return surplus - doubtful if surplus > 0 else surplus


def _is_acked_early(run: EndedRun, group: ProducerGroup) -> bool:
    """Whether a record may be acked, kept, and not be below the log's end that readers get."""
    settings = Settings.of_client(group.spec.config)
    if settings.text("acks") == "0":
        return True
    final = run.load.final
    return not settings.acks_all and final is not None and run.load.sampler.kept_leaders(final)


def _verdict(run: EndedRun, reconciliation: Reconciliation) -> Judgement:
    groups = run.producers().values()
    load = run.load
    waiting = sum(group.unsent + group.purged for group in groups)
    producers = [group.figures() for group in groups]
    measured_s = load.timeline.measure_s
    saturated = frozenset(one.name for one in producers if is_saturated(one))
    figures = RunFigures(
        producers=producers,
        consumers=[
            group.figures(
                run.scenario.consumers[name], [one for one in producers if one.name in group.group.producers]
            )
            for name, group in run.consumers().items()
        ],
        dead_workers=list(load.dead_workers.values()),
        dead_brokers=list(load.watch.dead.values()),
        paused_brokers=list(load.watch.paused.values()),
        unexplained=_not_told_otherwise(reconciliation),
        correctness=_correctness(reconciliation),
        unread={name: _still_unread(run, group) for name, group in run.consumers().items()},
        ends_known=growth(run) is not None,
        changed_topics=run.changed,
        may_duplicate=_may_duplicate(run),
        unacknowledged=waiting,
        measured_s=measured_s,
        stalls=list(load.heartbeats.stalls.values()),
        drifts=[] if load.plan.faults else drifts(run.rows, load.timeline, run.scenario, saturated),
        failed_faults=[one.failure for one in load.faults.injected if one.failure is not None],
        machine=load.machine.figures(),
        failure=load.failure,
        idle=_idle(run, producers),
    )
    return judge(figures)


def _still_unread(run: EndedRun, group: ConsumerGroup) -> int:
    """What a group had still to read when the drain phase ended.

    Where others write to its topics too, nothing once it had come to the log ends that followed the last ack.
    """
    came = group.group.existing and group.group.name in run.load.drained_ns
    return 0 if came else group.to_read(run.log_starts) or 0


def _idle(run: EndedRun, producers: Sequence[ProducerFigures]) -> bool:
    """Whether no record was due, sent or read in the measure phase."""
    readers = run.load.fleet.consumers
    read = total(readers, CONSUME_LANE, Counter.CONSUMED, Phase.MEASURE, by="by_moment")
    return not read and not any(one.intended or one.sent for one in producers)


def _not_told_otherwise(reconciliation: Reconciliation) -> int | None:
    """What is unexplained, save acked records missing in the log that the ledger has told as lost."""
    unexplained = reconciliation.unexplained
    if unexplained is None or unexplained >= 0:
        return unexplained
    return min(0, unexplained + reconciliation.lost_at_least)


def _correctness(reconciliation: Reconciliation) -> Correctness:
    groups = reconciliation.groups.values()
    return Correctness(
        lost=reconciliation.lost_at_least,
        duplicated=reconciliation.duplicated or 0,
        reordered=reconciliation.reordered or 0,
        contradicted=max((group.seen_failed + group.never_sent for group in groups), default=0),
    )


def _may_duplicate(run: EndedRun) -> bool:
    """Whether a retry may have written records twice: something went wrong, and nobody was idempotent."""
    groups = run.producers().values()
    done = run.load.watch.dead or run.load.plan.faults
    troubled = done or run.load.sampler.failures or any(group.troubled for group in groups)
    return bool(troubled) and any(not group.idempotent for group in groups)


def make_verdict(run: EndedRun, reconciliation: Reconciliation) -> Verdict:
    """The verdict on a run as a result tells it."""
    judgement = _verdict(run, reconciliation)
    reasons = tuple(
        Reason(
            code=finding.code,
            message=finding.message,
            fix=finding.fix,
            figure=finding.figure,
            limit=finding.limit,
            severity=finding.severity,
        )
        for finding in judgement.findings
    )
    return Verdict(status=judgement.status, reasons=reasons, saturated=judgement.saturated)
