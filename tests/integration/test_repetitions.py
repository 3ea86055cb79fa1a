"""Several runs on one cluster, and what is made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from runs import Recorder, document

from loadlab.errors import ClusterError
from loadlab.run.runner import RunOptions, open_cluster, run_scenario
from loadlab.scenario import load_document

if TYPE_CHECKING:
    from pathlib import Path

SHORT = {"warmup": "1s", "measure": "2s", "drain": "20s"}


def test_runs_on_one_cluster_have_fresh_topics(tmp_path: Path, provider: str) -> None:
    loaded = load_document(document(cluster={"provider": provider}, phases=SHORT))
    options, observer = RunOptions(tmp_path), Recorder()
    with open_cluster(loaded, options, observer) as cluster:
        results = [run_scenario(loaded, options, observer, cluster=cluster).result for _ in range(2)]
        assert not cluster.interrupts.came
        assert cluster.cluster.topic_ids(["orders"]) == {"orders": None}

    first, second = results
    assert first.run_id != second.run_id
    assert first.cluster.cluster_id == second.cluster.cluster_id
    for result in results:
        assert result.verdict.status != "invalid"
        assert result.reconciliation.consumed == {"billing": 6_000}
        assert result.reconciliation.log_end_growth == 6_000
    assert second.startup is not None
    assert second.startup.cluster_s == 0.0


@pytest.mark.local
@pytest.mark.usefixtures("local_kafka")
def test_a_cluster_that_lost_a_broker_gets_no_further_run(tmp_path: Path) -> None:
    loaded = load_document(document(cluster={"provider": "local"}, phases=SHORT))
    options, observer = RunOptions(tmp_path), Recorder()
    with open_cluster(loaded, options, observer) as cluster:
        cluster.cluster.kill(1)
        with pytest.raises(ClusterError, match="broker 1 has died"):
            run_scenario(loaded, options, observer, cluster=cluster)
