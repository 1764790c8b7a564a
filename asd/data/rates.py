"""The sampling rate at which the recordings of a data set are cut."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from asd.audio.decode import probe
from asd.data.recordings import below
from asd.errors import AudioError
from asd.language import trn
from asd.text import some

_USUAL_RATE = 16000
_LEAST_RATE = 1000


def rates_of(paths: Sequence[Path], stream: int = 0) -> dict[Path, int]:
    """Sampling rate of each recording in Hz; those that cannot be read are left out."""
    rates = {}
    for path in paths:
        with suppress(AudioError):
            rates[path] = probe(path, stream).sample_rate
    return rates


def usual_rate(rates: Mapping[Path, int]) -> int:
    """16 kHz, or the lowest rate of the recordings in Hz where that is less.

    Above half of a recording's own rate there is nothing to be heard; bands up there would be
    empty in some recordings or in all.
    """
    return max(min(_USUAL_RATE, *rates.values()), _LEAST_RATE) if rates else _USUAL_RATE


def rate_warnings(rates: Mapping[Path, int], source: Path) -> tuple[str, ...]:
    """Say which recordings lower the rate of all, where they are the smaller part."""
    rate = usual_rate(rates)
    low = [path for path, own in rates.items() if own <= rate < _USUAL_RATE]
    if not 0 < len(low) <= len(rates) / 2:
        return ()
    others = min(own for path, own in rates.items() if path not in low)
    return (
        trn(
            "cut at {rate} Hz because of {n} recording of {all}: {names}; the others have {others} "
            "Hz or more, and what lies above {half} Hz is lost in all: leave it out to keep it",
            "cut at {rate} Hz because of {n} recordings of {all}: {names}; the others have {others}"
            " Hz or more, and what lies above {half} Hz is lost in all: leave them out to keep it",
            len(low),
            rate=rate,
            all=len(rates),
            names=some([below(source, path) for path in low]),
            others=others,
            half=rate // 2,
        ),
    )
