"""What is unusual in a sound, as a technician would say it, in English or Japanese."""

from asd.language import Language, Say, translations
from asd.pipeline.finding import Finding, Span

_DOMAIN = "report"
_SHORT_S = 0.35
"""A sound shorter than this is a knock: an event of a frame or two lasts a little longer here."""
_LOW_HZ, _HISS_HZ, _RUMBLE_HZ = 300.0, 1500.0, 500.0
_HISS_WIDTH_HZ = 500.0
_MOST_NAMED = 2
_MOST_COUNTED = 6
_EDGE = 1.02


def sentence(finding: Finding | None, language: Language) -> str:
    """One sentence: what, between which frequencies, how loud, when.

    Parameters
    ----------
    finding : Finding or None
        From `asd.pipeline.finding.find`.
    language : {'en', 'ja'}
        Language of the sentence.

    Examples
    --------
    >>> found = Finding(((3100.0, 5600.0),), ((0.0, 10.0),), 14.0, "steady", None, 10.0, False,
    ...                 0.0, 8000.0)
    >>> sentence(found, "en")
    'A hiss between 3.1 and 5.6 kHz, 14 dB above the usual, throughout.'
    """
    say = translations(language, _DOMAIN).gettext
    if finding is None:
        return say("Nothing stands out in any one band; the sound as a whole is unlike the usual.")
    parts = {"where": _where(finding, say), "when": _when(finding, say)}
    if finding.level_db is None:
        return (
            say("No louder than usual, but it varies in an unusual way %(where)s, %(when)s.")
            % parts
        )
    parts["db"] = f"{abs(finding.level_db):.0f}"
    if finding.level_db < 0:
        return say("Less sound %(where)s, %(db)s dB below the usual, %(when)s.") % parts
    parts["what"] = _what(finding, say)
    return say("%(what)s %(where)s, %(db)s dB above the usual, %(when)s.") % parts


def _what(finding: Finding, say: Say) -> str:
    low = min(low for low, _ in finding.bands_hz)
    high = max(high for _, high in finding.bands_hz)
    longest = max(end - start for start, end in finding.times_s)
    if finding.tonal:
        return say("A hum") if high <= _LOW_HZ else say("A tone")
    if finding.rhythm == "repeating" or (finding.rhythm != "steady" and longest <= _SHORT_S):
        return say("A knock")
    if low >= _HISS_HZ and high - low >= _HISS_WIDTH_HZ:
        return say("A hiss")
    return say("A rumble") if high <= _RUMBLE_HZ else say("A noise")


def _where(finding: Finding, say: Say) -> str:
    named = [_band(band, finding, say) for band in finding.bands_hz[:_MOST_NAMED]]
    return say(" and ").join(named)


def _band(band: Span, finding: Finding, say: Say) -> str:
    low, high = band
    if low <= finding.floor_hz * _EDGE:
        return say("below %(high)s") % {"high": _hertz(high)}
    if high >= finding.ceiling_hz / _EDGE:
        return say("above %(low)s") % {"low": _hertz(low)}
    first, last = _hertz(low), _hertz(high)
    if first == last:
        return say("around %(hz)s") % {"hz": first}
    if first.split()[1] == last.split()[1]:
        first = first.split()[0]
    return say("between %(low)s and %(high)s") % {"low": first, "high": last}


def _hertz(hertz: float) -> str:
    """Two digits that count, as people say it: ``3.1 kHz``, ``420 Hz``."""
    if hertz >= 995:
        return f"{hertz / 1000:.1f} kHz" if hertz < 9950 else f"{hertz / 1000:.0f} kHz"
    return f"{round(hertz, -1):.0f} Hz" if hertz >= 100 else f"{hertz:.0f} Hz"


def _when(finding: Finding, say: Say) -> str:
    start, end = finding.times_s[0][0], finding.times_s[-1][1]
    span = say("from %(start)s to %(end)s s") % {"start": f"{start:.1f}", "end": f"{end:.1f}"}
    throughout = end - start >= 0.9 * finding.duration_s
    if finding.rhythm == "steady":
        return say("throughout") if throughout else span
    if finding.rhythm == "repeating":
        rate = say("%(rate)s times a second") % {"rate": f"{finding.rate_hz or 0:.1f}"}
        return rate if throughout else say("%(rate)s, %(span)s") % {"rate": rate, "span": span}
    if finding.rhythm == "once":
        if end - start <= _SHORT_S:
            return say("once, at %(start)s s") % {"start": f"{start:.1f}"}
        return say("once, %(span)s") % {"span": span}
    if len(finding.times_s) > _MOST_COUNTED:
        on_and_off = say("on and off, %(span)s") % {"span": span}
        return say("on and off throughout") if throughout else on_and_off
    return say("%(n)d times, %(span)s") % {"n": len(finding.times_s), "span": span}
