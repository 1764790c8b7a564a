"""Show what is unusual in the clips with the highest scores."""

from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure

from asd.data.manifest import Dataset
from asd.evaluation import plots
from asd.evaluation.table import ScoreTable
from asd.features.logmel import band_centres
from asd.features.store import FeatureCache
from asd.pipeline import Pipeline
from asd.tracking.store import cache_root

MOST = 10


def explanations(
    pipeline: Pipeline, dataset: Dataset, table: ScoreTable, most: int = MOST
) -> Iterator[tuple[str, Figure]]:
    """Draw the clips with the highest scores beside what the detector finds unusual in them.

    Parameters
    ----------
    pipeline : Pipeline
        What scored the clips.
    dataset : Dataset
        The folder that the clips of `table` are in.
    table : ScoreTable
        The scored clips.
    most : int
        How many clips to draw.

    Yields
    ------
    name : str
        ``<rank>_<clip>``, rank from 01.
    figure : Figure
        Spectrogram above, unusualness below.
    """
    config = pipeline.features
    highest = [int(index) for index in np.argsort(-table.scores, kind="stable")[:most]]
    clips = tuple(table.clips[index] for index in highest)
    sounds = FeatureCache(cache_root(), config).features(Dataset(dataset.root, clips))
    maps = pipeline.detector.explain(sounds)
    label = "Level (dB)" if config.scaling == "db" else "Level (0 to 1)"
    for rank, (index, sound, unusual) in enumerate(zip(highest, sounds, maps, strict=True), 1):
        clip = table.clips[index]
        verdict = "above" if table.is_anomaly[index] else "below"
        title = (
            f"{rank}. {clip.path.rpartition('/')[2]}\n"
            f"score {table.scores[index]:.4g}, {verdict} the threshold; truth: {clip.label}"
        )
        figure = plots.explanation(
            sound,
            unusual,
            title,
            sample_rate=config.sample_rate,
            hop_length=config.hop_length,
            band_hz=band_centres(config),
            level_label=label,
        )
        yield f"{rank:02d}_{clip.path.rpartition('/')[2].rpartition('.')[0]}", figure
