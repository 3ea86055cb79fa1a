from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest
from study_samples import CHECKOUT, SCENARIO, TRACKER

from loadlab.scenario import Scenario, load_document
from loadlab.tuning.default_space import default_space
from loadlab.tuning.knobs import is_durability, library_default
from loadlab.tuning.space import Choices
from loadlab.tuning.targets import target_of

if TYPE_CHECKING:
    from collections.abc import Mapping

PRODUCER_KNOBS = {
    "linger.ms",
    "batch.size",
    "batch.num.messages",
    "compression.type",
    "compression.level",
    "max.in.flight",
    "queue.buffering.max.messages",
    "queue.buffering.max.kbytes",
    "sticky.partitioning.linger.ms",
    "socket.send.buffer.bytes",
}
CONSUMER_KNOBS = {
    "fetch.min.bytes",
    "fetch.wait.max.ms",
    "queued.min.messages",
    "queued.max.messages.kbytes",
    "socket.receive.buffer.bytes",
}
BROKER_KNOBS = {
    "num.io.threads",
    "num.network.threads",
    "num.replica.fetchers",
    "socket.send.buffer.bytes",
    "socket.receive.buffer.bytes",
}


def changed(changes: Mapping[str, object]) -> Scenario:
    return load_document(
        copy.deepcopy(SCENARIO), [f"{path}={value}" for path, value in changes.items()]
    ).scenario


def test_a_property_has_one_default_by_both_of_its_names() -> None:
    sound = changed({})
    by_name = {
        f"{TRACKER}.linger.ms": 5.0,
        f"{TRACKER}.queue.buffering.max.ms": 5.0,
        f"{TRACKER}.batch.size": 10**6,
    }

    assert {name: library_default(target_of(name, sound), sound) for name in by_name} == by_name


def test_the_default_space_covers_clients_topics_and_brokers() -> None:
    assert set(default_space(changed({}))) == {
        *(f"{owner}.{name}" for owner in (CHECKOUT, TRACKER) for name in PRODUCER_KNOBS),
        *(f"consumers.billing.config.{name}" for name in CONSUMER_KNOBS),
        "topics.orders.partitions",
        *(f"cluster.config.{name}" for name in BROKER_KNOBS),
        "cluster.resources.heap",
    }


def test_all_values_of_the_default_space_are_allowed_and_hold_the_default() -> None:
    sound = changed({})
    for name, knob in default_space(sound).items():
        target = target_of(name, sound)
        values = (
            knob.domain.values if isinstance(knob.domain, Choices) else (knob.domain.low, knob.domain.high)
        )
        special = () if isinstance(knob.domain, Choices) else knob.domain.special
        for value in (*values, *special):
            assert target.value(value) == value, name
        assert knob.default is not None, name
        assert knob.domain.contains(knob.default), name


def test_nothing_that_durability_hangs_on_is_in_the_default_space() -> None:
    sound = changed({})
    assert not any(is_durability(target_of(name, sound)) for name in default_space(sound))


@pytest.mark.parametrize(
    "name",
    [
        f"{CHECKOUT}.acks",
        f"{CHECKOUT}.request.required.acks",
        f"{CHECKOUT}.enable.idempotence",
        "topics.orders.replication_factor",
        "topics.orders.config.min.insync.replicas",
        "topics.orders.config.flush.ms",
        "topics.orders.config.unclean.leader.election.enable",
        "cluster.config.default.replication.factor",
        "cluster.config.log.flush.interval.messages",
        "cluster.config.min.insync.replicas",
    ],
)
def test_durability_hangs_on(name: str) -> None:
    assert is_durability(target_of(name, changed({})))


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        ({"cluster": "{provider: embedded, brokers: 3}"}, "cluster.config.num.io.threads"),
        ({"cluster": "{provider: embedded, brokers: 3}"}, "cluster.resources.heap"),
        ({"cluster": "{provider: embedded, brokers: 3}"}, "consumers.billing.config.fetch.wait.max.ms"),
        (
            {"topics.orders.replication_factor": 1, "topics.orders.config": "{}"},
            "cluster.config.num.replica.fetchers",
        ),
        ({"producers.tracker.records.partition": 0}, "topics.orders.partitions"),
        ({"producers.tracker.records.partition": 0}, f"{TRACKER}.sticky.partitioning.linger.ms"),
        ({"producers.tracker.records.keys": "{kind: uniform}"}, f"{TRACKER}.sticky.partitioning.linger.ms"),
        ({"producers.tracker.config.max.in.flight": 1}, f"{TRACKER}.max.in.flight"),
    ],
)
def test_what_can_not_be_changed_or_makes_no_difference_is_left_out(
    change: Mapping[str, object], gone: str
) -> None:
    assert gone in default_space(changed({}))
    assert gone not in default_space(changed(change))


def test_an_idempotent_producer_keeps_its_five_requests_in_flight() -> None:
    space = default_space(changed({}))

    assert space[f"{CHECKOUT}.max.in.flight"].default == 5
    assert not space[f"{CHECKOUT}.max.in.flight"].domain.contains(6)
    assert space[f"{TRACKER}.max.in.flight"].default == 1_000_000


def test_a_property_is_searched_by_the_name_that_the_scenario_has() -> None:
    space = default_space(changed({"producers.checkout.config.queue.buffering.max.ms": 20}))

    assert f"{CHECKOUT}.queue.buffering.max.ms" in space
    assert f"{CHECKOUT}.linger.ms" not in space


def test_the_heap_stays_within_the_memory() -> None:
    domain = default_space(changed({"cluster.resources": "{memory: 2GiB, heap: 640MiB}"}))[
        "cluster.resources.heap"
    ].domain

    assert domain.high <= 1.5 * 2**30
    assert domain.contains(640 * 2**20)
