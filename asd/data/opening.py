"""Open the data set that a step works on."""

import logging
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from asd.config.steps import DEMO_DATA, CutConfig
from asd.data import manifest
from asd.data.manifest import Dataset
from asd.data.preprocess import preprocess
from asd.data.verify import verify
from asd.errors import DataError
from asd.language import tr

DEMO_SOURCE = Path("data/demo-source")

logger = logging.getLogger(__name__)


def open_dataset(data: str | Dataset) -> Dataset:
    """Read a data set and check that its audio is what the manifest says.

    The demo's, ``data/demo``, is made on first use. What is open already is given as it is: to
    read and to hash all audio takes long, and a step that is part of another one need not.

    Raises
    ------
    DataError
        There is no data set, or its audio has changed.
    """
    if isinstance(data, Dataset):
        return data
    root = Path(data)
    if root == Path(DEMO_DATA) and not root.exists():
        return _demo_dataset(root)
    dataset = manifest.load(root)
    verify(dataset)
    return dataset


def open_machines(folders: Iterable[str]) -> list[Dataset]:
    """Open data sets, and take them apart by machine.

    Parameters
    ----------
    folders : iterable of str
        Data sets, or folders of data sets.

    Raises
    ------
    DataError
        There is no data set, its audio has changed, or two machines would have the same name.
    """
    roots = [root for folder in folders for root in _data_sets(Path(folder))]
    machines = [machine for root in roots for machine in open_dataset(str(root)).by_machine()]
    twice = [name for name, n in Counter(one.name for one in machines).items() if n > 1]
    if twice:
        raise DataError(
            tr("data: two machines would be called {twice}; rename a folder", twice=twice[0])
        )
    return machines


def _data_sets(folder: Path) -> list[Path]:
    """The folder itself, or the data sets in it."""
    below = sorted(path.parent for path in folder.glob(f"*/{manifest.MANIFEST_NAME}"))
    return [folder] if (folder / manifest.MANIFEST_NAME).is_file() else below or [folder]


def demo_source() -> Path:
    """The folder of the demo's recordings and sounds, made on first use."""
    if not DEMO_SOURCE.exists():
        # The libraries that make its sounds take long to load.
        from asd.data.demo import make_demo

        logger.info(tr("making the demo plant in {folder} (first use)", folder=DEMO_SOURCE))
        make_demo(DEMO_SOURCE)
    return DEMO_SOURCE


def foreign_sounds(dataset: Dataset) -> str:
    """The folder of the demo's sounds, where a test side has normal clips and no anomaly.

    Laid over some of the clips they take the place of anomalies; empty where none are needed.
    """
    if dataset.split("test", "anomaly").clips or not dataset.split("test", "normal").clips:
        return ""
    logger.info(tr("no labelled anomalies: foreign sounds laid over test clips take their place"))
    return str(demo_source() / "noise")


def _demo_dataset(root: Path) -> Dataset:
    recordings = demo_source() / "recordings"
    logger.info(tr("cutting the demo's recordings into {folder} (first use)", folder=root))
    return preprocess(recordings, root, CutConfig()).dataset
