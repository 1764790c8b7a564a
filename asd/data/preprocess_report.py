"""What `asd.data.preprocess` has made of a source, in words."""

from dataclasses import dataclass

from asd.data.layouts import Layout
from asd.data.made import AGAIN
from asd.data.manifest import Dataset
from asd.language import tr
from asd.text import count, some

UNITS_FOR_5_PERCENT = 19
"""Normal recordings for a false-alarm rate of 5 %: n of them promise 1 / (n + 1) at best."""

# Names in a line of the report; all of them are in the report itself.
_LISTED = 10


@dataclass(frozen=True)
class PreprocessReport:
    """What was made of a source, or would be."""

    dataset: Dataset
    """The data set."""
    layout: Layout
    """What was recognised in the source, and what of it is not used."""
    table: tuple[str, ...]
    """What was taken for what, as lines of a table."""
    sample_rate: int
    """Of the clips, in Hz."""
    short: tuple[str, ...]
    """Recordings shorter than one clip, kept at their own length."""
    dropped_s: float
    """Seconds at the ends of recordings that filled no clip."""
    skipped: tuple[str, ...]
    """One message for each recording that could not be used (`skip_bad`)."""
    warnings: tuple[str, ...]
    """What limits the use of this data set."""
    again: bool = False
    """The same command had made it before: nothing was done."""

    def lines(self) -> list[str]:
        """The report as lines for the terminal."""
        short = f"{count(len(self.short), 'recording')}, {some(self.short, _LISTED)}"
        return [
            *([AGAIN] if self.again else []),
            tr("layout: {note}", note=self.layout.note),
            tr("sample rate: {rate} Hz", rate=self.sample_rate),
            *self.table,
            *(
                [tr("dropped: {seconds:.1f} s that fill no clip", seconds=self.dropped_s)]
                if self.dropped_s
                else []
            ),
            *(
                [tr("shorter than a clip, kept at their own length: {short}", short=short)]
                if self.short
                else []
            ),
            *(tr("skipped: {message}", message=message) for message in self.skipped),
            *(tr("warning: {warning}", warning=warning) for warning in self.warnings),
        ]


def dataset_warnings(dataset: Dataset) -> list[str]:
    """What a data set cannot be used for."""
    warnings = []
    normal = dataset.select(lambda clip: clip.split != "test" and clip.label == "normal")
    units = len({clip.session or clip.recording for clip in normal.clips})
    if units < UNITS_FOR_5_PERCENT:
        sessions = any(clip.session for clip in normal.clips)
        given = count(units, "normal session") if sessions else count(units, "normal recording")
        warnings.append(
            tr(
                "{units} to train and calibrate on can promise a false-alarm rate of {rate:.0%} "
                "at best; 5 % takes {needed}: record more",
                units=given,
                rate=1 / (units + 1),
                needed=UNITS_FOR_5_PERCENT,
            )
        )
    if not dataset.split("test", "normal").clips:
        warnings.append(tr("test has no normal clip: AUC and false alarms cannot be measured"))
    return warnings
