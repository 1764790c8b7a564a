"""The language of what people read."""

from pathlib import Path

import pytest
from babel.messages import mofile, pofile

from asd import language
from asd.errors import ConfigError

CATALOGUES = sorted(Path(language.__file__).with_name("locale").glob("*/LC_MESSAGES/*.po"))


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "en"),
        ({"LANG": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "ja_JP.UTF-8", "ASD_LANG": "en"}, "en"),
        ({"LANG": "C.UTF-8", "ASD_LANG": "ja"}, "ja"),
    ],
)
def test_a_variable_outranks_the_locale(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("ASD_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(key, raising=False)
    for key, value in variables.items():
        monkeypatch.setenv(key, value)
    assert language.chosen() == expected


def test_an_unknown_language_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASD_LANG", "fr")
    with pytest.raises(ConfigError, match="ASD_LANG=fr: choose one of en, ja"):
        language.chosen()


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_the_compiled_texts_are_those_of_the_source(path: Path) -> None:
    with path.open("rb") as text, path.with_suffix(".mo").open("rb") as compiled:
        source, built = pofile.read_po(text), mofile.read_mo(compiled)
    assert not list(source.check())
    assert {m.id: m.string for m in source if m.id} == {m.id: m.string for m in built if m.id}
    assert all(message.string for message in source if message.id), "not translated"
