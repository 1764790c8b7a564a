"""Score tables made by hand."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from asd.data.manifest import Clip
from asd.evaluation.table import ScoreTable

Row = tuple[str, float, dict[str, Any]]
"""Label, score and whatever else the manifest says of a clip."""

MakeTable = Callable[..., ScoreTable]


@pytest.fixture
def make_table() -> MakeTable:
    """Give a function that makes a table from rows (label, score, fields of the manifest)."""

    def make(rows: Sequence[Row], threshold: float = 0.5) -> ScoreTable:
        clips = tuple(
            Clip(
                **{
                    "path": f"clips/{index:04d}.wav",
                    "recording": f"r{index}",
                    "start_s": 0,
                    "duration_s": 10,
                    "split": "test",
                    "label": label,
                    "sha256": f"{index:064x}",
                }
                | fields
            )
            for index, (label, _, fields) in enumerate(rows)
        )
        return ScoreTable(clips, np.array([score for _, score, _ in rows]), None, threshold)

    return make


@pytest.fixture
def random_table(make_table: MakeTable) -> MakeTable:
    """Give a function that makes a table of `n` clips with Japanese names and several groups."""
    faults = ("炎の音", "机を叩く音", "misfire")

    def make(n: int, threshold: float = 1.0) -> ScoreTable:
        rng = np.random.default_rng(n)
        rows: list[Row] = []
        for index in range(n):
            fields: dict[str, Any] = {
                "pitch_semitones": float(rng.choice([-6, -3, -1, 0, 1, 3, 6])),
                "recording": f"r{index // 4}",
                "path": f"clips/バーナー燃焼音_{index:04d}.wav",
            }
            if index % 3 == 0:
                name = faults[index % 9 // 3]
                rows.append(("anomaly", rng.normal(1.5), fields | {"condition": name}))
            else:
                rows.append(("normal", rng.normal(), fields))
        return make_table(rows, threshold)

    return make
