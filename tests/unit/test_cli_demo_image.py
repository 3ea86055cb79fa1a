from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadlab.cli import demo_image
from loadlab.cli.demo_image import ensure_image
from loadlab.errors import ClusterError
from loadlab.scenario import ClusterSpec

if TYPE_CHECKING:
    from collections.abc import Callable


class FakeEngine:
    """Stands in for a container engine that answers."""


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The versions that were built; the engine answers and has no image."""
    versions: list[str] = []

    def build(_engine: FakeEngine, version: str, _message: Callable[[str], None]) -> str:
        versions.append(version)
        return "image"

    monkeypatch.setattr(demo_image, "Engine", FakeEngine)
    monkeypatch.setattr(demo_image, "find_image", lambda _engine, _version: None)
    monkeypatch.setattr(demo_image, "build_image", build)
    return versions


def told_for(provider: str = "auto") -> list[str]:
    messages: list[str] = []
    ensure_image(ClusterSpec.model_validate({"provider": provider}), messages.append)
    return messages


def test_an_engine_without_an_image_gets_one(built: list[str]) -> None:
    (message,) = told_for()

    assert built == ["4.3.1"]
    assert "building one" in message


def test_no_image_is_built_beside_one_that_is_configured(
    built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOADLAB_KAFKA_IMAGE", "mine:1")

    assert told_for() == []
    assert built == []

    monkeypatch.setenv("LOADLAB_KAFKA_IMAGE", "")
    assert len(told_for()) == 1
    assert built == ["4.3.1"]


def test_an_image_at_hand_is_used(built: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_image, "find_image", lambda _engine, _version: "apache/kafka:4.3.1")

    assert told_for() == []
    assert built == []


def test_a_provider_that_is_named_is_left_alone(built: list[str]) -> None:
    assert told_for("local") == []
    assert built == []


def test_without_an_engine_the_choice_is_left_to_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_engine() -> FakeEngine:
        raise ClusterError("no container engine answers")

    monkeypatch.setattr(demo_image, "Engine", no_engine)

    assert told_for() == ["no containers: no container engine answers"]
