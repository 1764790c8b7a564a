"""Sessions that nobody has named: told from the names of short recordings."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from asd.data.recordings import Recording
from asd.language import tr
from asd.text import count

SHORT_S = 5.0
"""Recordings that last no longer are likely to be cut from longer ones."""
LEAST_RECORDINGS = 20
LEAST_EACH = 4
"""Recordings a stem, in the mean, from which on stems look like sessions."""
_LISTED = 3


def session_warning(recordings: Sequence[Recording], seconds: Mapping[str, float]) -> str:
    """Say that short recordings with running numbers may be of a few sessions; empty if not.

    Hundreds of one-second files of a few flights are a few flights: neighbours in time stand on
    both sides of a split, and what is promised holds for those flights alone.

    Parameters
    ----------
    recordings : sequence of Recording
        Of a data set.
    seconds : mapping
        Length of each in seconds, by name.
    """
    normal = [r for r in recordings if r.label == "normal"]
    if len(normal) < LEAST_RECORDINGS or any(r.session for r in normal):
        return ""
    typical = float(np.median([seconds[r.name] for r in normal]))
    stems = Counter(re.sub(r"[\W_]*\d+$", "", r.name) for r in normal)
    if typical > SHORT_S or len(normal) < LEAST_EACH * len(stems):
        return ""
    listed = ", ".join(f"{stem} ({n})" for stem, n in stems.most_common(_LISTED))
    more = ", ..." if len(stems) > _LISTED else ""
    return tr(
        "{recordings} of about {seconds:.1f} s differ in a running number only, but for {names}: "
        "{listed}; if recordings of one name are of one session (a flight, a day, a mounting), say "
        "so in a column session of labels.csv, so that split and promise count sessions",
        recordings=count(len(normal), "normal recording"),
        seconds=typical,
        names=count(len(stems), "name"),
        listed=listed + more,
    )
