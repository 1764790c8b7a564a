"""Check that the audio of a data set is what its manifest was written for."""

from asd.data.manifest import Dataset
from asd.errors import DataError
from asd.files import file_digest
from asd.language import tr
from asd.parallel import parallel_map

# A longer list helps nobody.
_LISTED = 20


def verify(dataset: Dataset) -> None:
    """Compare the digest of every audio file with the manifest, in parallel.

    Parameters
    ----------
    dataset : Dataset
        A data set, or a part of one.

    Raises
    ------
    DataError
        Files have changed since the manifest was written; names them.
    """
    files = [dataset.file(clip) for clip in dataset.clips]
    digests = parallel_map(file_digest, files, desc=tr("verify"), threads=True)
    changed = [
        clip.path
        for clip, digest in zip(dataset.clips, digests, strict=True)
        if digest != clip.sha256
    ]
    if changed:
        more = f" and {len(changed) - _LISTED} more" if len(changed) > _LISTED else ""
        raise DataError(
            tr(
                "{root}: audio changed since the manifest was written: "
                "{names}{more}; restore it or run preprocess again",
                root=dataset.root,
                names=", ".join(changed[:_LISTED]),
                more=more,
            )
        )
