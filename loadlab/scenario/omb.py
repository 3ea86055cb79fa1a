"""Turns OpenMessaging Benchmark's workload and driver files into a scenario."""

from __future__ import annotations

import copy
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ruamel.yaml import YAML

from loadlab import units
from loadlab.errors import ScenarioError, UsageError
from loadlab.scenario import omb_driver, omb_workload
from loadlab.scenario.loader import load_document
from loadlab.scenario.omb_keys import KeyReport, Keys
from loadlab.scenario.problems import scenario_error
from loadlab.scenario.reader import parse
from loadlab.scenario.records import STAMP_BYTES
from loadlab.scenario.source import read_text

if TYPE_CHECKING:
    from pathlib import Path

_TOPIC: Final = "test-topic"  # OMB's own prefix
_NO_NAME: Final = "omb"
_LONGEST_NAME: Final = 64
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,17}")
_WIDTH: Final = 110
_QUESTION: Final = "imported from OpenMessaging Benchmark"


@dataclass(frozen=True)
class Imported:
    """A scenario and where it comes from.

    Attributes:
        document: the scenario as plain data.
        text: the same as a file, with what was refused in comments.
        reports: what became of each key.
    """

    document: dict[str, object]
    text: str
    reports: tuple[KeyReport, ...]


def import_omb(workload: Path, driver: Path) -> Imported:
    """Makes a scenario of a workload and a driver file.

    Args:
        workload: one of OMB's workloads/*.yaml.
        driver: one of OMB's driver-kafka/*.yaml.

    Raises:
        ScenarioError: a file can't be read or is no YAML.
        UsageError: a key asks for what no scenario can say; all of them are told.
    """
    sources = Keys("workload", _read(workload)), Keys("driver", _read(driver))
    document = _document(*sources, fallback=workload.stem)
    for keys, known in zip(sources, (omb_workload.KNOWN, omb_driver.KNOWN), strict=True):
        keys.ignored(known)
    reports = tuple(each for keys in sources for each in keys.reports)
    _refuse_what_blocks(reports)
    try:
        load_document(document)
    except ScenarioError as error:
        raise UsageError(
            f"the scenario that these files ask for is none:\n{error.message}", fix="change the files"
        ) from error
    return Imported(document, _text(document, (workload, driver), reports), reports)


def _read(path: Path) -> dict[str, object]:
    document, problems = parse(read_text(path), str(path))
    if problems:
        raise scenario_error(problems, document)
    return document.data


def _refuse_what_blocks(reports: tuple[KeyReport, ...]) -> None:
    blocking = [f"  {each.file}: {each.key}: {each.told}" for each in reports if each.blocks]
    if blocking:
        # A key that is lacking may be there under a name that OMB does not know.
        blocking += [f"  {each.file}: {each.key}: {each.told}" for each in reports if each.unknown]
        raise UsageError(
            "\n".join(["no scenario can be made of these files:", *blocking]),
            fix="change these keys in a copy of the files",
        )


def _document(workload: Keys, driver: Keys, *, fallback: str) -> dict[str, object]:
    name = _names(workload, driver, fallback)
    omb_driver.check_driver(driver)
    factor = omb_driver.replication_factor(driver)
    topic = omb_workload.topic_spec(workload) | {"replication_factor": factor}
    topic |= _if_any("config", _values(omb_driver.topic_config(driver)))
    sizes = omb_workload.record_sizes(workload)
    groups = omb_workload.subscriptions(workload)
    times = omb_workload.times(workload, sizes, groups)
    phases = {"warmup": times.warmup_s, "measure": times.measure_s}
    return {
        **name,
        "cluster": {"brokers": factor},
        "topics": {_TOPIC: topic},
        "producers": {"producer": _producer(workload, driver, sizes)},
        **_if_any("consumers", _consumers(workload, driver, groups, times)),
        "phases": {phase: units.format_duration(length_s) for phase, length_s in phases.items()},
        **_if_any("thresholds", _thresholds(times)),
    }


def _names(workload: Keys, driver: Keys, fallback: str) -> dict[str, object]:
    title = workload.text("name") or fallback
    letters = re.sub(r"[^a-z0-9._]+", "-", title.lower())
    name = letters.lstrip("._-")[:_LONGEST_NAME].rstrip("-") or _NO_NAME
    workload.taken("name", f"name: {name}; as it was in description")
    driver.taken("name", "description")
    printable = "".join(letter for letter in f"{title}, {driver.text('name')}" if letter.isprintable())
    return {"name": name, "description": f"{printable[:1000].rstrip(', ')}; {_QUESTION}"}


def _producer(workload: Keys, driver: Keys, sizes: omb_workload.Sizes) -> dict[str, object]:
    keys = omb_workload.key_spec(workload)
    keyed = keys["kind"] != "none"
    compressible = omb_workload.compressibility(workload)
    records: dict[str, object] = {"size": sizes.form}
    if compressible is not None:
        records["compressibility"] = compressible
    if keyed:
        records["keys"] = keys
    if sizes.smallest_bytes < STAMP_BYTES:
        records["stamp"] = False
    config = omb_driver.producer_config(driver, keyed=keyed, smallest_bytes=sizes.smallest_bytes)
    return {
        "topic": _TOPIC,
        "workers": omb_workload.workers(workload, "producersPerTopic", "producers.producer"),
        "schedule": {"rate": omb_workload.rate(workload)},
        "records": records,
        "config": _values(config),
    }


def _consumers(workload: Keys, driver: Keys, groups: int, times: omb_workload.Times) -> dict[str, object]:
    if not groups:
        return {}
    config = _if_any("config", _values(omb_driver.consumer_config(driver, workload.whole("topics", 1))))
    workers = omb_workload.workers(workload, "consumerPerSubscription", "consumers.subscription-N")
    late = times.start_after_s
    start = {} if late is None else {"start_after": units.format_duration(late)}
    group = {"topic": _TOPIC, "workers": workers, **start, **config}
    return {f"subscription-{number}": copy.deepcopy(group) for number in range(groups)}


def _thresholds(times: omb_workload.Times) -> dict[str, object]:
    left = times.undrained_records
    return {} if left is None else {"backlog": [f"final <= {left}"]}


def _if_any(key: str, value: dict[str, object]) -> dict[str, object]:
    return {key: value} if value else {}


def _values(config: dict[str, str]) -> dict[str, object]:
    """Properties as YAML writes them: numbers are no texts."""
    return {name: int(value) if _NUMBER.fullmatch(value) else value for name, value in config.items()}


def _text(document: dict[str, object], files: tuple[Path, Path], reports: tuple[KeyReport, ...]) -> str:
    yaml = YAML()
    yaml.width = _WIDTH
    stream = io.StringIO()
    yaml.dump(document, stream)
    head = [
        f"Made by `loadlab import omb` of {files[0].name} and {files[1].name}. Not taken over:",
        *(f"  {each.file} {each.key}: {each.told}" for each in reports if each.outcome == "refused"),
    ]
    return "\n".join([*(f"# {_printable(line)}" for line in head), stream.getvalue()])


def _printable(line: str) -> str:
    """One line of a comment, whatever the files hold."""
    return "".join(letter if letter.isprintable() else " " for letter in line)
