"""What is unusual in the clips with the highest scores."""

from collections.abc import Iterator, Sequence

from matplotlib.figure import Figure

from asd.data.manifest import Dataset
from asd.evaluation import plots
from asd.evaluation.table import ScoreTable, label_word
from asd.features.store import FeatureStore
from asd.language import tr
from asd.pipeline.pipeline import Pipeline


def explanations(
    pipeline: Pipeline,
    dataset: Dataset,
    table: ScoreTable,
    store: FeatureStore,
    indices: Sequence[int],
) -> Iterator[tuple[str, Figure]]:
    """Draw clips beside what the pipeline finds unusual in them.

    Parameters
    ----------
    pipeline : Pipeline
        What scored the clips.
    dataset : Dataset
        The folder that the clips of `table` are in.
    table : ScoreTable
        The scored clips.
    store : FeatureStore
        Gives the features.
    indices : sequence of int
        The rows of `table` to draw, in this order.

    Yields
    ------
    name : str
        ``<rank>_<clip>``, rank from 01.
    figure : Figure
        Spectrogram above, unusualness below.
    """
    front_end = pipeline.scorer.front_ends[0]
    if not indices:
        return
    clips = Dataset(dataset.root, tuple(table.clips[index] for index in indices))
    sounds = store.features(clips, front_end)
    maps = pipeline.scorer.explain(clips, store)
    alarms = table.is_anomaly
    for rank, (index, sound, unusual) in enumerate(zip(indices, sounds, maps, strict=True), 1):
        clip = table.clips[index]
        name = clip.path.rpartition("/")[2]
        judged = tr("above the threshold") if alarms[index] else tr("below the threshold")
        title = tr(
            "{rank}. {name}\nscore {score:.4g}, {judged}; truth: {label}",
            rank=rank,
            name=name,
            score=table.scores[index],
            judged=judged,
            label=label_word(clip.label),
        )
        figure = plots.explanation(sound, unusual, title, front_end.axes())
        yield f"{rank:02d}_{name.rpartition('.')[0]}", figure
