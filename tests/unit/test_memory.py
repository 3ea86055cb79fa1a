from __future__ import annotations

from types import SimpleNamespace

import psutil
import pytest
from run_samples import scenario_of
from test_plan import producer

from loadlab.errors import UsageError
from loadlab.run.memory import check_memory

MIB = 1 << 20


@pytest.mark.parametrize(("available_mib", "fits"), [(1_055, False), (1_056, True)])
def test_workers_that_do_not_fit_into_memory_are_refused_with_both_figures(
    monkeypatch: pytest.MonkeyPatch, available_mib: int, *, fits: bool
) -> None:
    """Ten producing workers with 16 MiB of values each, and four that read: 10 * (64 + 16) + 4 * 64 MiB."""
    memory = SimpleNamespace(available=available_mib * MIB + 1)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    scenario = scenario_of(
        producers={"a": producer(workers=10)}, consumers={"billing": {"topic": "orders", "workers": 4}}
    ).scenario

    if fits:
        check_memory(scenario)
        return
    with pytest.raises(
        UsageError, match="14 workers need 1056MiB of memory or more, and 1055MiB are available"
    ):
        check_memory(scenario)


def test_a_run_whose_offsets_do_not_fit_into_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a day of 1,000 partitions and one group: log ends, lags, commits, and both again to judge them."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=3_000 * MIB))
    day = {"topics": {"orders": {"partitions": 1_000}}, "phases": {"warmup": 0, "measure": "24h", "drain": 0}}

    check_memory(scenario_of(**{**day, "topics": {"orders": {"partitions": 10}}}).scenario)
    with pytest.raises(UsageError, match="offsets of 1,000 partitions, told each second, take 3295MiB"):
        check_memory(scenario_of(**day).scenario)
