"""Writes scenarios/traces/flash-sale.csv, the trace that scenarios/trace-replay.yaml replays.

    python tools/flash_sale_trace.py

Eighty seconds of a shop: orders arrive by chance, 20 a second, until a sale opens at second 40, when it is
270 a second, falling to 1/e of that every 8 seconds. Sizes are lognormal (median 300 B), customers follow
Zipf's law, and one order in ten is a guest's and has no key. The same seed gives the same file.
"""

from __future__ import annotations

import csv
import math
import random
from pathlib import Path

TARGET = Path(__file__).parent.parent / "scenarios" / "traces" / "flash-sale.csv"
SEED = 20
LASTS_S = 80.0
OPENS_S = 40.0
FASTEST_PER_S = 270.0
CUSTOMERS = 500


def rate_per_s(time_s: float) -> float:
    """Orders a second."""
    return 20.0 + (250.0 * math.exp((OPENS_S - time_s) / 8.0) if time_s >= OPENS_S else 0.0)


def main() -> None:
    """Draws the orders by thinning a Poisson process and writes them."""
    draw = random.Random(SEED)  # noqa: S311 (no secret)
    popularity = [1.0 / rank for rank in range(1, CUSTOMERS + 1)]
    time_s = 0.0
    TARGET.parent.mkdir(exist_ok=True)
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["time", "size", "key"])
        while (time_s := time_s + draw.expovariate(FASTEST_PER_S)) < LASTS_S:
            if draw.random() * FASTEST_PER_S < rate_per_s(time_s):
                size = min(max(round(draw.lognormvariate(math.log(300), 0.6)), 64), 8192)
                customer = draw.choices(range(CUSTOMERS), popularity)[0]
                rows.writerow([f"{time_s:.4f}", size, "" if draw.random() < 0.1 else f"c{customer}"])  # noqa: PLR2004


if __name__ == "__main__":
    main()
