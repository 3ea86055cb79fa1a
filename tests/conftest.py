"""What all tests share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# A busy machine must not fail a property: how long an example takes is not what is tested.
settings.register_profile("loadlab", deadline=None)
settings.load_profile("loadlab")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,  # noqa: ARG001  pytest's signature
    call: pytest.CallInfo[None],  # noqa: ARG001
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI=true a test that can't run is a failure: a green build means that everything ran."""
    report = yield
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"with CI=true a skip is a failure: {report.longrepr}"
    return report


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Clusters of tests are on no list of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOADLAB_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        yield
