"""Writes loadlab/scenario/kafka_properties.json: Kafka's list of topic, broker and Java client properties.

Run it with Java and Maven on the PATH when a Kafka version is added:

    python tools/kafka_properties.py

It gets each version's jars from Maven, asks the classes in them (KafkaProperties.java beside this file) for
the name, type, range, choices and default of each property, and writes them one property a line:
``"name": [TYPE, lowest or null, highest or null, [choices], default or null]``.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

VERSIONS = ("3.9.1", "4.3.1")
HERE = Path(__file__).parent
TARGET = HERE.parent / "loadlab" / "scenario" / "kafka_properties.json"
POM = """<project><modelVersion>4.0.0</modelVersion>
<groupId>loadlab</groupId><artifactId>kafka-properties</artifactId><version>1</version>
<dependencies><dependency>
<groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version>
</dependency></dependencies></project>
"""

Limit = int | float | None
Definition = tuple[str, Limit, Limit, list[str], str | None]


def main() -> None:
    """Writes the list anew."""
    owners = {version: _definitions(version) for version in VERSIONS}
    TARGET.write_text(_compact(owners), encoding="utf-8")


def _definitions(version: str) -> dict[str, dict[str, Definition]]:
    """The properties of one Kafka version, by owner (topic, broker, producer or consumer) and name."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pom.xml").write_text(POM.format(version=version), encoding="utf-8")
        copy = ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={folder}/jars"]
        subprocess.run(copy, cwd=folder, check=True)
        ask = ["java", "-cp", f"{folder}/jars/*", str(HERE / "KafkaProperties.java")]
        told = subprocess.run(ask, check=True, capture_output=True, text=True).stdout
    owners: dict[str, dict[str, Definition]] = {}
    for line in told.splitlines():
        owner, name, kind, lowest, highest, choices, default = line.split("\t")
        limits = _limit(kind, lowest), _limit(kind, highest)
        listed = choices.split(",") if choices else []
        owners.setdefault(owner, {})[name] = (kind, *limits, listed, default or None)
    return owners


def _limit(kind: str, text: str) -> Limit:
    if not text:
        return None
    return float(text) if kind == "DOUBLE" else int(float(text))


def _compact(owners: dict[str, dict[str, dict[str, Definition]]]) -> str:
    """JSON with one property a line, so that a new version's changes can be read."""
    versions = []
    for version, parts in owners.items():
        blocks = []
        for owner, properties in parts.items():
            lines = [f"   {json.dumps(name)}: {json.dumps(value)}" for name, value in properties.items()]
            blocks.append(f"  {json.dumps(owner)}: {{\n" + ",\n".join(lines) + "\n  }")
        versions.append(f" {json.dumps(version)}: {{\n" + ",\n".join(blocks) + "\n }")
    return "{\n" + ",\n".join(versions) + "\n}\n"


if __name__ == "__main__":
    main()
