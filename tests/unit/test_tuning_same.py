"""What goes on later goes on where it began."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from loadlab.errors import UsageError
from loadlab.results.model import ClusterUsed
from loadlab.tuning.same import refuse_other_cluster

if TYPE_CHECKING:
    from loadlab.cluster import Cluster

BEGAN = ClusterUsed(provider="local", kind="kafka", kafka_version="4.3.1", brokers=1, cluster_id="first")


def cluster(**parts: object) -> Cluster:
    return cast("Cluster", SimpleNamespace(info=BEGAN.model_copy(update=parts)))


def test_each_start_of_a_cluster_has_another_id_and_is_the_same_to_a_study() -> None:
    refuse_other_cluster("s1", BEGAN, cluster(cluster_id="second"), stands=False)
    refuse_other_cluster("s1", None, cluster(brokers=3), stands=True)
    with pytest.raises(UsageError, match="whose brokers was 1; here it is 3"):
        refuse_other_cluster("s1", BEGAN, cluster(brokers=3), stands=False)


@pytest.mark.parametrize(("provider", "stands"), [("local", True), ("external", False)])
def test_one_that_stood_already_has_to_be_the_very_same(provider: str, stands: bool) -> None:
    """Another one may be configured otherwise, or hold the data of others."""
    began = BEGAN.model_copy(update={"provider": provider})
    refuse_other_cluster("s1", began, cluster(provider=provider), stands=stands)
    with pytest.raises(UsageError, match="cluster_id was first; here it is second"):
        refuse_other_cluster("s1", began, cluster(provider=provider, cluster_id="second"), stands=stands)
