from __future__ import annotations

from loadlab.run.events import Events


class Told:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def message(self, text: str) -> None:
        self.texts.append(text)

    def warn(self, text: str) -> None:
        self.message(text)

    def progress(self, progress: object) -> None:
        """Nothing is asked for here."""


def test_an_event_is_taken_down_with_its_time_and_told() -> None:
    observer = Told()
    events = Events(observer)
    events.note("broker_died", "broker 2 died", broker=2)
    events.note("phase", "drain phase")

    assert observer.texts == ["broker 2 died", "drain phase"]
    first, second = events.lines
    assert (first["event"], first["text"], first["broker"]) == ("broker_died", "broker 2 died", 2)
    assert 0 <= first["at_s"] <= second["at_s"]  # type: ignore[operator]
