"""Topics are made all or none: what fails deletes them again, and what stays is named."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from confluent_kafka import KafkaError, KafkaException

from loadlab.cluster import topic_creation
from loadlab.cluster.api import TopicRequest
from loadlab.cluster.own_topics import MadeTopics
from loadlab.cluster.processes import ProcessIdentity
from loadlab.cluster.state import state_dir
from loadlab.cluster.topics import TopicAdmin, ready_timeout_s
from loadlab.errors import ClusterError, LoadlabError, TopicsExistError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from confluent_kafka import TopicCollection
    from confluent_kafka.admin import NewTopic

    from loadlab.cluster.admin import KafkaAdmin


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_creation, "_SETTLE_TIMEOUT_S", 0.0)
    monkeypatch.setattr(topic_creation, "_REQUEST_TIMEOUT_S", -1.0)  # what has not come is not waited for


def failed(code: int) -> KafkaException:
    return KafkaException(KafkaError(code))


def answered(error: BaseException | None = None, result: object = None) -> Future[object]:
    future: Future[object] = Future()
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
    return future


@dataclass
class FakeClient:
    """A cluster that makes topics, but for those whose names have an error.

    Attributes:
        errors: how the creation of a topic ends; None for no answer at all.
        made_all_the_same: those that it made nevertheless, with their partitions.
        kept: those that it refuses to delete.
        silences: how many requests for deletion it does not answer, before it does.
    """

    errors: dict[str, int | None] = field(default_factory=dict)
    made_all_the_same: dict[str, int] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)
    silences: int = 0
    there: dict[str, int] = field(default_factory=dict)
    requests: list[list[str]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)

    def create_topics(self, topics: Sequence[NewTopic], **_: float) -> dict[str, Future[object]]:
        self.requests.append([one.topic for one in topics])
        self.there |= {one.topic: one.num_partitions for one in topics if one.topic not in self.errors}
        self.there |= self.made_all_the_same
        return {one.topic: self._created(one.topic) for one in topics}

    def _created(self, name: str) -> Future[object]:
        if name not in self.errors:
            return answered()
        code = self.errors[name]
        return Future() if code is None else answered(failed(code))

    def delete_topics(self, names: Sequence[str], **_: float) -> dict[str, Future[object]]:
        if self.silences:
            self.silences -= 1
            return {name: answered(failed(KafkaError._TIMED_OUT)) for name in names}
        self.deleted += names
        error = failed(KafkaError.TOPIC_AUTHORIZATION_FAILED)
        return {name: answered(error if name in self.kept else None) for name in names}

    def describe_topics(self, names: TopicCollection, **_: float) -> dict[str, Future[object]]:
        return {name: self._described(name) for name in names.topic_names}

    def _described(self, name: str) -> Future[object]:
        if name not in self.there:
            return answered(failed(KafkaError.UNKNOWN_TOPIC_OR_PART))
        node = SimpleNamespace(id=1)
        parts = [
            SimpleNamespace(id=number, leader=node, replicas=[node], isr=[node])
            for number in range(self.there[name])
        ]
        return answered(result=SimpleNamespace(name=name, topic_id=f"id of {name}", partitions=parts))


def create(
    client: FakeClient, *requests: TopicRequest, await_service: Callable[[], None] = lambda: None
) -> dict[str, str]:
    admin = cast("KafkaAdmin", SimpleNamespace(client=client, refresh=lambda _: None))
    return TopicAdmin(admin).create(requests, await_service)


A, B = TopicRequest("a", 2, 1), TopicRequest("b", 1, 1)


def test_topics_that_are_ready_stay() -> None:
    client = FakeClient()
    assert create(client, A, B) == {"a": "id of a", "b": "id of b"}
    assert client.deleted == []


@pytest.mark.parametrize("error", [ClusterError("the leader does not serve it"), KeyboardInterrupt()])
def test_topics_whose_leaders_never_serve_are_deleted_again(error: BaseException) -> None:
    def await_service() -> None:
        raise error

    client = FakeClient()
    with pytest.raises(type(error)) as told:
        create(client, A, B, await_service=await_service)
    assert told.value is error
    assert client.deleted == ["a", "b"]


def test_a_refused_topic_takes_those_back_that_were_made_and_is_not_touched_itself() -> None:
    client = FakeClient({"b": KafkaError.TOPIC_ALREADY_EXISTS}, made_all_the_same={"b": 1})
    with pytest.raises(UsageError, match="topic b: there already"):
        create(client, A, B)
    assert client.deleted == ["a"]


def test_a_topic_of_a_run_that_goes_on_is_told_to_be_its(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOADLAB_STATE_DIR", str(tmp_path))
    owner = ProcessIdentity.current()
    made = MadeTopics(state_dir() / "topics" / "orders-k3f9.json", "here", {"b": "id of b"}, owner)
    made.remember()
    says = rf"topic b: made by run orders-k3f9, which goes on \(process {owner.pid}\)"
    with pytest.raises(TopicsExistError, match=says) as told:
        create(FakeClient(there={"b": 1}), A, B)
    assert told.value.fix == "wait for its end, or name another topic"

    replace(made, owner=replace(owner, started="0")).remember()
    with pytest.raises(TopicsExistError, match="topic b: there already"):
        create(FakeClient(there={"b": 1}), A, B)


@pytest.mark.parametrize(
    "code", [KafkaError.REQUEST_TIMED_OUT, KafkaError._TIMED_OUT, KafkaError._TRANSPORT, None]
)
def test_a_topic_that_was_made_without_an_answer_is_deleted_too(code: int | None) -> None:
    client = FakeClient({"b": code}, made_all_the_same={"b": 1})
    with pytest.raises(ClusterError, match="could not be created: b: ") as told:
        create(client, A, B)
    assert client.deleted == ["a", "b"]
    assert "may still" not in told.value.message


def test_a_topic_that_was_not_answered_for_and_is_not_as_asked_is_somebody_elses() -> None:
    client = FakeClient({"b": KafkaError._TIMED_OUT}, made_all_the_same={"b": 7})
    with pytest.raises(ClusterError):
        create(client, A, B)
    assert client.deleted == ["a"]


def test_a_topic_that_may_come_yet_is_named() -> None:
    with pytest.raises(ClusterError, match=r"topics may still be made: b$"):
        create(FakeClient({"b": None}), A, B)


def test_what_may_not_be_deleted_again_is_named_with_the_reason() -> None:
    def await_service() -> None:
        raise ClusterError("no service")

    client = FakeClient(kept={"a"})
    with pytest.raises(
        ClusterError, match=r"no service; topics could not be deleted again: a: .*uthorization failed"
    ) as told:
        create(client, A, B, await_service=await_service)
    assert told.value.fix == "delete by hand what is left"


@pytest.mark.parametrize(("silences", "words"), [(1, "no service$"), (2, "deleted again: a, b: .*imed out$")])
def test_a_controller_that_is_silent_is_asked_twice_to_delete_again(silences: int, words: str) -> None:
    def await_service() -> None:
        raise ClusterError("no service")

    client = FakeClient(silences=silences)
    with pytest.raises(ClusterError, match=words):
        create(client, A, B, await_service=await_service)
    assert client.deleted == (["a", "b"] if silences == 1 else [])


def test_an_interrupt_notes_what_may_not_be_deleted_again() -> None:
    def await_service() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as told:
        create(FakeClient(kept={"b"}), A, B, await_service=await_service)
    assert "could not be deleted again: b: " in told.value.__notes__[0]


def test_a_deletion_that_is_refused_is_told_by_the_topics_name() -> None:
    client = FakeClient(there={"a": 1, "b": 1}, kept={"b"})
    topics = TopicAdmin(cast("KafkaAdmin", SimpleNamespace(client=client)))
    with pytest.raises(LoadlabError, match=r"topics could not be deleted: b: .*uthorization failed"):
        topics.delete({"a": "id of a", "b": "id of b"}, timeout_s=1)


def test_many_topics_are_made_and_deleted_by_requests_that_a_controller_takes() -> None:
    def await_service() -> None:
        raise ClusterError("no service")

    client = FakeClient()
    many = [
        TopicRequest(f"t-{number}", 97, 1, {"retention.ms": "1", "segment.ms": "2"}) for number in range(250)
    ]
    with pytest.raises(ClusterError):
        create(client, *many, await_service=await_service)
    assert [len(names) for names in client.requests] == [100, 100, 50]
    assert client.deleted == [one.name for one in many]


def test_a_refusal_in_a_later_request_takes_the_topics_of_the_earlier_ones_back() -> None:
    client = FakeClient({"b": KafkaError.POLICY_VIOLATION})
    with pytest.raises(UsageError, match="refuses to create a topic: b: "):
        create(client, TopicRequest("a", 9_999, 1), B, TopicRequest("c", 9_999, 1))
    assert (client.requests, client.deleted) == ([["a"], ["b"]], ["a"])


@pytest.mark.parametrize(("config", "most"), [({}, 9_999), ({"retention.ms": "1"}, 9_998)])
def test_a_topic_that_no_request_can_make_is_refused_before_any_is_made(
    config: dict[str, str], most: int
) -> None:
    client = FakeClient()
    assert create(client, TopicRequest("large", most, 1, config))
    with pytest.raises(UsageError, match=f"topic larger: Kafka makes at most {most:,} partitions"):
        create(client, A, TopicRequest("larger", most + 1, 1, config))
    assert client.requests == [["large"]]


def test_of_many_topics_the_first_are_named_with_their_common_reason() -> None:
    names = [f"orders-{number}" for number in range(3000)]
    client = FakeClient(dict.fromkeys(names, KafkaError.POLICY_VIOLATION))
    with pytest.raises(UsageError) as told:
        create(client, *(TopicRequest(name, 1, 1) for name in names))
    assert "orders-0, orders-1, … and 2,998 more: Broker: Policy violation" in told.value.message
    assert len(told.value.message) < 200
    with pytest.raises(UsageError, match="topics orders-0, orders-1, … and 2,998 more: there already"):
        create(FakeClient(there=dict.fromkeys(names, 1)), *(TopicRequest(name, 1, 1) for name in names))


def test_more_partitions_may_take_longer_until_they_are_served() -> None:
    assert 60 <= ready_timeout_s(1) < 61
    assert ready_timeout_s(10_000) > 200  # a broker on a busy core opened 140 logs a second


@dataclass
class Forgetful(FakeClient):
    """A cluster of which some brokers tell of a deleted topic a while longer.

    Attributes:
        stale: how many answers still have it.
    """

    stale: int = 0

    def _described(self, name: str) -> Future[object]:
        if name in self.deleted and name not in {made for request in self.requests for made in request}:
            self.stale -= 1
            self.there = {name: 1} if self.stale > 0 else {}
        return super()._described(name)


def test_a_topic_that_was_just_deleted_is_not_there_although_a_broker_says_so() -> None:
    client = Forgetful(there={"a": 1}, stale=5)
    topics = TopicAdmin(cast("KafkaAdmin", SimpleNamespace(client=client, refresh=lambda _: None)))
    deleting = {"a": "id of a"}
    topics.delete(deleting, timeout_s=1)
    client.stale = 3  # another broker answers than the one that had forgotten it
    topics._refuse_existing(["a"])
    assert client.stale <= 0
    client.there, client.deleted = {"b": 1}, []
    with pytest.raises(LoadlabError, match="b"):
        topics._refuse_existing(["b"])
