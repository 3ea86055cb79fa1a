"""Where results are kept: one folder a run, written once.

results/<run-id>/
    result.json         the model of loadlab.results.model
    intervals.parquet   one row per interval, source and metric
    histograms.npz      latency histograms of the measure phase
    interval_histograms.parquet    latency histograms of each interval: the buckets that hold any
    events.jsonl        what happened, one JSON object a line
    logs/               of a cluster or worker that failed
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadlab.results.artifacts import Artifacts, write_artifacts
from loadlab.results.model import RunResult
from loadlab.results.publish import published
from loadlab.results.reader import RESULT_FILE, StoredRun
from loadlab.results.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


def save(
    result: RunResult, artifacts: Artifacts, results_dir: Path, *, secrets: Collection[str] = ()
) -> StoredRun:
    """Store a run; its folder appears whole or not at all.

    Args:
        result: what was measured.
        artifacts: what is stored beside it.
        results_dir: the folder of all results; made if it is missing.
        secrets: values that must not reach a file, wherever they stand.

    Returns:
        The run as stored: without secrets, and with its folder.

    Raises:
        RunError: the run id is taken, or the folder can't be written.
    """
    redactor = Redactor(secrets)
    clean = _without_secrets(result, redactor)
    with published(results_dir, result.run_id) as folder:
        write_artifacts(artifacts, folder, redactor)
        (folder / RESULT_FILE).write_text(clean.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return StoredRun(result=clean, path=results_dir / result.run_id)


def _without_secrets(result: RunResult, redactor: Redactor) -> RunResult:
    """Search all free text; ids, times and fixed words stay: a password "kafka" must not spoil the file."""
    document = result.model_dump(mode="json")
    document["scenario"] = redactor.document(document["scenario"])
    document["environment"] = redactor.model(document["environment"])
    for part in ("thresholds", "warnings"):
        document[part] = [redactor.model(one) for one in document[part]]
    for part in ("config", "reason"):
        document["cluster"][part] = redactor.document(document["cluster"][part])
    for reason in document["verdict"]["reasons"]:
        reason.update({part: redactor.document(reason[part]) for part in ("message", "fix")})
    return RunResult.model_validate(document)
