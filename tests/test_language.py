"""The language of what people read."""

import ast
import re
from dataclasses import replace
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from babel.messages import mofile, pofile
from babel.messages.catalog import Catalog

from asd import language
from asd.audio.comparable import Reference
from asd.audio.condition import Condition
from asd.cli.early import check
from asd.config.steps import ScoreConfig, TrainConfig
from asd.errors import AsdError, ConfigError
from asd.text import count
from tests import texts

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
    # Placeholders of `str.format` have a test of their own: "5 % in" is no format of printf.
    wrong = list(source.check())
    assert path.stem == "messages" or not wrong
    assert as_pairs(source) == as_pairs(built)
    assert all(all(translated) for _, translated in as_pairs(source)), "not translated"


def as_pairs(catalogue: Catalog) -> list[tuple[list[str], list[str]]]:
    """Texts and translations, each a list for there may be plurals."""
    pairs = [(m.id, m.string) for m in catalogue if m.id]
    return sorted((as_list(text), as_list(translated)) for text, translated in pairs)


def as_list(words: Any) -> list[str]:
    return [words] if isinstance(words, str) else list(words)


def as_fields(text: str) -> set[tuple[str, str, str | None]]:
    """The placeholders of a text, each with its format."""
    parsed = Formatter().parse(text)
    return {(name, spec or "", conversion) for _, name, spec, conversion in parsed if name}


def translated() -> dict[texts.Text, str]:
    among = texts.catalogue()
    return {text: texts.japanese(among, text) for text in texts.known()}


def test_every_text_of_the_code_is_translated_and_no_other() -> None:
    """`make locale` takes up new texts; their Japanese is written into the catalogue by hand."""
    known = translated()
    assert set(known) == texts.extracted()
    assert [text for text, japanese in known.items() if not japanese] == []


def test_a_translation_has_the_placeholders_of_its_text() -> None:
    for text, words in translated().items():
        english = text if isinstance(text, str) else text[1]
        # A unit that has a counter of its own in Japanese may go.
        assert as_fields(english) - as_fields(words) <= {("unit", "", None)}, english
        assert as_fields(words) <= as_fields(english), english


def test_the_language_is_that_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    def say() -> tuple[str, str]:
        return language.tr("warning: {warning}", warning="x"), count(3, "recording")

    assert say() == ("warning: x", "3 recordings")
    monkeypatch.setenv("ASD_LANG", "ja")
    assert say() == ("警告: x", "録音 3 件")
    monkeypatch.setenv("ASD_LANG", "en")
    assert say() == ("warning: x", "3 recordings")


def test_errors_that_users_meet_first_are_in_their_language(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ASD_LANG", "ja")
    monkeypatch.chdir(tmp_path)
    for wish, expected in (
        (TrainConfig(model="magic"), "model='magic': 未知のモデルです"),
        (TrainConfig(data="nowhere"), "nowhere: データセットがありません"),
        (ScoreConfig(source="nowhere.wav"), "ファイルもフォルダもありません"),
    ):
        with pytest.raises(AsdError, match=expected):
            check(wish)
    with pytest.raises(ConfigError, match="seed=-1: 0 以上にしてください"):
        TrainConfig.parse({"seed": -1})


def written_out(path: Path) -> list[str]:
    """Errors for users whose message is a literal, which no catalogue translates."""
    ours = {"AsdError", *subclasses(AsdError)}
    calls = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [
        f"{path.name}:{call.lineno}"
        for call in calls
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in ours
        and call.args
        and re.search("[a-z]{3}", literal(call.args[0]))
    ]


def literal(message: ast.expr) -> str:
    """The words of a message that stand in the code themselves."""
    parts = message.values if isinstance(message, ast.JoinedStr) else [message]
    return "".join(str(part.value) for part in parts if isinstance(part, ast.Constant))


def subclasses(one: type[AsdError]) -> list[str]:
    below = one.__subclasses__()
    return [name for sub in below for name in (sub.__name__, *subclasses(sub))]


def test_every_error_is_a_text_of_the_catalogue() -> None:
    root = Path(language.__file__).parents[1]
    paths = [path for path in root.glob("asd/**/*.py") if "testing" not in path.parts]
    found = {path.relative_to(root).as_posix(): written_out(path) for path in paths}
    # The catalogue cannot translate itself.
    assert [name for name, lines in found.items() if lines] == ["asd/language.py"]


def test_what_makes_a_recording_hard_to_compare_is_in_the_language_of_the_moment() -> None:
    odd = Condition(
        sample_rate=16000, channels=2, duration_s=1, level_db=-90, clipped=0.1, dropouts=2,
        silent=0.9, band_hz=100, cancel_db=40, imbalance_db=60,
    )  # fmt: skip
    for condition in (odd, replace(odd, sample_rate=8000)):
        with language.speaking("ja"):
            told = Reference(16000, 10.0).notices(condition)
        assert len(told) >= 7
        assert not [notice.text for notice in told if not re.search("[ぁ-ん]", notice.text)]
