"""The README's search, which other tests beside it would disturb."""

from __future__ import annotations

from typing import TYPE_CHECKING

from readme import assert_does_what_is_shown, commands, measures, prepare

if TYPE_CHECKING:
    from pathlib import Path


def test_the_readme_s_search_finds_what_holds(tmp_path: Path) -> None:
    prepare(tmp_path)
    (search,) = [command for command in commands() if measures(command)]
    assert_does_what_is_shown(search, tmp_path)
