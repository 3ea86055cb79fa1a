"""Exports read back by the tools they are for: HdrHistogram's own log processor."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from export_samples import MEASURE_END_S, WARMUP_S, Known, histogram_of, known, store

from loadlab.analysis.export import export_run
from loadlab.analysis.export.hdr import HdrHistogram
from loadlab.analysis.export.hgrm import distribution
from loadlab.cluster.java import find_java
from loadlab.cluster.maven import Artifacts, fetch, has_maven
from loadlab.cluster.state import cache_dir

POM = Path(__file__).parents[1] / "data" / "hdrhistogram" / "pom.xml"
LATENCY = ("producer/checkout", "publish_latency_us")
TAG = "producer-checkout-publish_latency"


@pytest.fixture(scope="session")
def jar() -> Path:
    if not has_maven() or find_java() is None:
        pytest.skip("needs Maven and Java")
    target = cache_dir() / "hdrhistogram" / "2.2.2"
    if not target.is_dir():
        fetch(Artifacts("HdrHistogram", POM, target, [], 60, ""))
    return target / "HdrHistogram-2.2.2.jar"


@pytest.fixture(scope="module")
def durations() -> Known:
    return known()


def processed(jar: Path, log: Path, *arguments: str) -> str:
    """What HdrHistogram's log processor says of a log."""
    java = find_java()
    assert java is not None
    command = [java.launcher, "-cp", jar, "org.HdrHistogram.HistogramLogProcessor", "-i", log, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert not done.stderr
    return done.stdout


def without_comments(text: str) -> str:
    """Without the lines that say where a distribution is from."""
    return re.sub(r"^#\[(Overall|StartTime).*\n", "", text, flags=re.MULTILINE)


def test_the_log_holds_every_latency_by_its_tag(jar: Path, tmp_path: Path, durations: Known) -> None:
    log = tmp_path / "run.hlog"
    log.write_bytes(export_run(store(tmp_path, durations), "hlog").contents[""])

    assert processed(jar, log, "-listtags").splitlines()[1:] == [
        "consumer-billing-end_to_end_latency",
        "producer-checkout-publish_latency",
        "producer-checkout-send_delay",
        "producer-checkout-service_time",
    ]


def test_each_interval_comes_back_with_its_time_and_its_samples(
    jar: Path, tmp_path: Path, durations: Known
) -> None:
    log = tmp_path / "run.hlog"
    log.write_bytes(export_run(store(tmp_path, durations), "hlog").contents[""])
    processed(jar, log, "-tag", TAG, "-csv", "-o", str(tmp_path / "read"))
    rows = [line.split(",") for line in (tmp_path / "read").read_text().splitlines() if line[0].isdigit()]

    seconds = durations.seconds[LATENCY][WARMUP_S:]
    assert [float(row[0]) for row in rows] == list(range(WARMUP_S + 1, WARMUP_S + 1 + len(seconds)))
    assert [int(row[1]) for row in rows] == [len(samples) for samples in seconds]
    for row, samples in zip(rows, seconds, strict=True):
        exact_ms = np.quantile(samples, [0.5, 0.9, 1.0], method="inverted_cdf") / 1e6
        assert [float(figure) for figure in row[2:5]] == pytest.approx(exact_ms, rel=0.005, abs=0.001)


def test_a_distribution_is_what_hdrhistogram_prints_of_the_same_samples_to_the_letter(
    jar: Path, tmp_path: Path, durations: Known
) -> None:
    histogram = HdrHistogram.of(histogram_of(durations.between(*LATENCY, WARMUP_S, MEASURE_END_S)))
    log = tmp_path / "one.hlog"
    log.write_text(f"#[Histogram log format version 1.3]\n0.000,25.000,0.000,{histogram.base64()}\n")

    assert without_comments(processed(jar, log)) == distribution(histogram)
    exported = export_run(store(tmp_path, durations), "hgrm").contents[f"{TAG}.hgrm"]
    assert exported.decode() == distribution(histogram)


def test_the_finest_steps_agree_too(jar: Path, tmp_path: Path) -> None:
    # A million samples over eight powers of ten: steps down to 1/2^19, slots of every width.
    values = (10 ** np.random.default_rng(1).uniform(0, 11, 1_000_000)).astype(np.int64)
    histogram = HdrHistogram.of(histogram_of(values))
    log = tmp_path / "one.hlog"
    log.write_text(f"#[Histogram log format version 1.3]\n0.000,1.000,0.000,{histogram.base64()}\n")

    assert without_comments(processed(jar, log)) == distribution(histogram)
