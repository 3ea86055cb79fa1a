"""Whatever a file holds, loading it ends in a scenario or in a ScenarioError, and never in a traceback."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from loadlab.errors import ScenarioError
from loadlab.scenario import load, load_document

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadlab.scenario import LoadedScenario

EVERY_KEY = Path(__file__).parents[1] / "scenarios" / "valid" / "every-key.yaml"
WHOLE = YAML(typ="safe").load(EVERY_KEY)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        [
            "5ms",
            "64KiB",
            "20k/s",
            "max",
            "orders.v1",
            "p99 < 5ms",
            "all",
            "<uniform>",
            "0-1",
            "127.0.0.1:9092",
        ]
    ),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["min", "max", "rate", "for", "uniform", "ramp", "size", "x", "[key]"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=5,
)


def paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, inner in below for found in paths(inner, (*path, key)))]


PATHS = paths(WHOLE)[1:]


def refusal(load_it: Callable[[], LoadedScenario]) -> str | None:
    """What is told of a scenario that can't be loaded; None where it can, and its document then too."""
    try:
        loaded = load_it()
    except ScenarioError as error:
        return error.message
    assert load_document(loaded.scenario.to_document()).scenario == loaded.scenario
    return None


def attempt(document: dict[str, object]) -> None:
    message = refusal(lambda: load_document(document))
    assert message is None or message.startswith("scenario: ")


@settings(max_examples=250)
@given(st.lists(st.tuples(st.sampled_from(PATHS), values), min_size=1, max_size=4))
def test_a_scenario_with_values_changed_at_random(
    changes: list[tuple[tuple[str | int, ...], object]],
) -> None:
    document = copy.deepcopy(WHOLE)
    for path, value in changes:
        parent = document
        try:
            for key in path[:-1]:
                parent = parent[key]
            parent[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    attempt(document)


@settings(max_examples=100)
@given(st.sets(st.sampled_from(PATHS), min_size=1, max_size=5))
def test_a_scenario_with_keys_taken_out_at_random(gone: set[tuple[str | int, ...]]) -> None:
    document = copy.deepcopy(WHOLE)
    for path in sorted(gone, key=lambda path: (-len(path), str(path))):
        parent = document
        for key in path[:-1]:
            parent = parent[key]
        if isinstance(parent, dict):
            parent.pop(path[-1], None)
    attempt(document)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.text(alphabet="ab:{}[]-&*!%#'\"\n\t ,?|>", max_size=100).map(str.encode))
def test_a_file_of_any_bytes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "any.yaml").write_bytes(content)
    with pytest.raises(ScenarioError):
        load(tmp_path / "any.yaml")


@settings(max_examples=150)
@given(
    st.sampled_from(PATHS),
    st.text(max_size=30) | st.sampled_from(["", "null", "5", "[1]", "{a: 1}", "max", "5s"]),
)
def test_any_override(path: tuple[str | int, ...], value: str) -> None:
    override = ".".join(map(str, path)) + "=" + value
    message = refusal(lambda: load(EVERY_KEY, [override]))
    assert message is None or message.startswith(("--set ", str(EVERY_KEY)))
