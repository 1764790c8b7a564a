"""Short recordings with running numbers are told as likely sessions."""

from pathlib import Path

from asd.data.recordings import Recording
from asd.data.sessions import session_warning


def flights(count: int, each: int, session: str = "") -> list[Recording]:
    return [
        Recording(Path(f"f{flight}_{n}.wav"), f"f{flight}_{n:03}", "normal", session=session)
        for flight in range(count)
        for n in range(each)
    ]


def told(recordings: list[Recording], seconds: float) -> str:
    return session_warning(recordings, {r.name: seconds for r in recordings})


def test_one_second_files_of_a_few_flights_are_told() -> None:
    warning = told(flights(4, 30), 1.0)
    assert warning.startswith("120 normal recordings of about 1.0 s")
    assert "4 names: f0 (30), f1 (30), f2 (30), ...;" in warning
    assert "session of labels.csv" in warning


def test_what_is_known_or_long_or_without_numbers_is_not_told() -> None:
    assert not told(flights(4, 30, session="s"), 1.0)
    assert not told(flights(4, 30), 60.0)
    assert not told(flights(4, 4), 1.0)
    assert not told(flights(30, 1), 1.0)
