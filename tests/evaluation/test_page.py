"""The page that people read: whole in one file, escaped, in two languages, and small enough."""

import base64
import hashlib
import io
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import av
import joblib
import numpy as np
import pytest
import soundfile
from babel.messages.extract import extract_from_dir
from PIL import Image

import asd
from asd.arrays import Samples
from asd.config.recipes import recipe_of
from asd.config.steps import TrainConfig
from asd.data.manifest import Dataset
from asd.evaluation.evaluation import Evaluation, evaluate
from asd.evaluation.page import cases, evaluation_page, recordings_page
from asd.evaluation.page.cases import chosen_rows
from asd.evaluation.page.media import PAGE_BYTES, Room
from asd.evaluation.report import figures
from asd.features.store import FeatureStore
from asd.language import LANGUAGES, Language, speaking, translations
from asd.pipeline.explain import Explanation
from asd.pipeline.pipeline import Pipeline
from tests.pipeline.conftest import RATE, hum, make_side

NASTY = 'a<script>alert("x")&異音.wav'
LINEAGE = {"Model": "models:/m-1", "Run": "0", "Code": "asd", "Trained in run": "1"}


class Elements(HTMLParser):
    """The elements of a page and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.found.append((tag, {key: value or "" for key, value in attrs}))

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        """Attributes of each element of a kind."""
        return [attrs for name, attrs in self.found if name == tag]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    """One store for all tests."""
    return FeatureStore(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def evaluation(store: FeatureStore, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """Nearest neighbours on a hum, of which one clip has a name that is HTML."""
    root = tmp_path_factory.mktemp("hum")
    sides = [
        make_side(root, 10, 0), make_side(root, 4, 100, "valid"), make_side(root, 2, 200, "test"),
        make_side(root, 2, 300, "test", "anomaly"),
    ]  # fmt: skip
    clips = [clip for side in sides for clip in side.clips]
    (root / clips[-1].path).rename(root / NASTY)
    clips[-1] = clips[-1].model_copy(update={"path": NASTY, "condition": "<b>rattle</b>"})
    data = Dataset(root, tuple(clips))
    recipe = recipe_of(TrainConfig(model="knn"))
    pipeline, _ = Pipeline.fit(recipe, data.split("train"), data.split("valid"), store)
    return evaluate("knn on hum", pipeline, data, store)


@pytest.fixture(scope="module")
def pages(evaluation: Evaluation, store: FeatureStore) -> dict[Language, str]:
    """The report in each language."""

    def page(language: Language) -> str:
        with speaking(language):
            drawn = figures(evaluation)
        return evaluation_page(evaluation, drawn, store, language, LINEAGE)

    return {language: page(language) for language in LANGUAGES}


def test_a_page_needs_nothing_but_itself(pages: dict[Language, str]) -> None:
    for page in pages.values():
        assert not re.search(r"https?://", page)
        elements = Elements(page)
        assert not elements.all("link")
        sources = [e["src"] for tag in ("img", "audio") for e in elements.all(tag)]
        assert all(source.startswith("data:") for source in sources)
        links = [e["href"][1:] for e in elements.all("a")]
        assert set(links) <= {e["id"] for _, e in elements.found if "id" in e}
        [policy] = [e["content"] for e in elements.all("meta") if "http-equiv" in e]
        assert policy.startswith("default-src 'none'")


def test_the_one_script_is_the_one_that_the_page_allows(pages: dict[Language, str]) -> None:
    """It follows links within the page, which a browser does not in MLflow's frame."""
    for page in pages.values():
        [script] = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        [policy] = [e["content"] for e in Elements(page).all("meta") if "http-equiv" in e]
        assert f"script-src 'sha256-{digest}'" in policy.split("; ")


def test_names_are_escaped(pages: dict[Language, str]) -> None:
    for page in pages.values():
        assert page.count("<script") == 1
        assert "<b>" not in page
        assert NASTY in Elements(page).text


def test_each_alarm_has_a_sentence_a_picture_and_three_sounds(
    pages: dict[Language, str], evaluation: Evaluation
) -> None:
    elements = Elements(pages["en"])
    shown = sum(len(rows) for rows in chosen_rows(evaluation.table).values())
    assert shown
    assert len(elements.all("article")) == shown
    sounds = elements.all("audio")
    assert len(sounds) >= 2 * shown
    assert "above the usual" in elements.text
    pictures = elements.all("img")
    assert all(e["alt"] for e in pictures)
    # Scores, ROC, precision and recall, and one a clip.
    assert len(pictures) == 3 + shown
    for e in pictures:
        content = base64.b64decode(e["src"].partition(",")[2])
        Image.open(io.BytesIO(content)).verify()


def test_a_nearest_normal_sound_is_encoded_once(
    evaluation: Evaluation, store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    nearest: list[Path] = []
    encoded: list[int] = []

    def noted(told: Explanation, dataset: Dataset) -> Path:
        nearest.append(dataset.file(dataset.clips[0]))
        return nearest[0]

    def counted(samples: Samples, rate: int) -> str:
        encoded.append(len(samples))
        return "data:audio/mpeg;base64,"

    monkeypatch.setattr(cases, "nearest_file", noted)
    monkeypatch.setattr(cases, "audio", counted)
    monkeypatch.setattr(cases, "unusual_part", lambda *_: None)
    with joblib.parallel_config(backend="sequential"):
        made = cases.cases(evaluation, store, "en", Room())
    shown = [case for kind in made.values() for case in kind]
    assert len(nearest) == len(shown) > 1
    assert len(encoded) == len(shown) + 1
    assert all(case.players[1].source for case in shown)


def test_cells_of_wide_tables_carry_their_column(pages: dict[Language, str]) -> None:
    """On a phone each row of a table of more than three columns is a list."""
    for page in pages.values():
        wide = re.findall(r'<table class="many">(.*?)</table>', page, re.DOTALL)
        assert wide
        for table in wide:
            columns = re.findall(r'<th scope="col">(.*?)</th>', table)
            for row in re.findall(r'<tr><th scope="row">.*?</tr>', table):
                assert re.findall(r'<td data-column="(.*?)">', row) == columns[1:]
        for table in re.findall(r"<table>(.*?)</table>", page, re.DOTALL):
            assert table.count('<th scope="col">') <= 3


def test_a_sound_on_the_page_can_be_decoded(
    pages: dict[Language, str], evaluation: Evaluation
) -> None:
    source = Elements(pages["en"]).all("audio")[0]["src"]
    content = io.BytesIO(base64.b64decode(source.partition(",")[2]))
    with av.open(content, "r") as container:
        blocks = [frame.to_ndarray().ravel() for frame in container.decode(audio=0)]
    sound = np.concatenate(blocks)
    # MP3 pads a few frames at both ends.
    assert len(sound) == pytest.approx(evaluation.pipeline.clip_seconds * RATE, abs=3000)
    assert 0.3 < np.abs(sound).max() < 1.5


def test_a_page_is_in_its_language(pages: dict[Language, str]) -> None:
    english, japanese = (Elements(pages[language]) for language in ("en", "ja"))
    assert english.all("html") == [{"lang": "en"}]
    assert japanese.all("html") == [{"lang": "ja"}]
    assert "What the recordings can promise" in english.text
    assert "録音の数から保証できること" in japanese.text
    assert "above the usual" not in japanese.text
    assert "通常より" in japanese.text


def test_japanese_is_shown_without_a_font_of_the_computer(pages: dict[Language, str]) -> None:
    assert "@font-face" in pages["ja"]
    assert len(pages["ja"]) < len(pages["en"]) + 300_000


@pytest.mark.parametrize("language", ["ja"])
def test_every_text_is_translated(language: Language) -> None:
    methods = [("**.py", "python"), ("evaluation/page/**.html", "jinja2.ext:babel_extract")]
    keywords = {"say": None, "_": None, "gettext": None}
    folder = Path(asd.__file__).parent
    texts = translations(language, "report")
    found = {
        message
        for _, _, message, _, _ in extract_from_dir(folder, methods, keywords=keywords)
        if isinstance(message, str)
    }
    assert len(found) > 80
    assert not [
        text for text in found if texts.gettext(text) == text and text not in ("ROC", "AUC")
    ]


def test_what_does_not_fit_is_left_out() -> None:
    room = Room(10)
    assert room.take("12345678") == "12345678"
    assert room.take("123") == ""
    assert room.take("12") == "12"
    assert PAGE_BYTES < 15_000_000


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_of_scored_recordings(
    evaluation: Evaluation, language: Language, tmp_path: Path
) -> None:
    # A file may be called by bytes that are no UTF-8, and by what a terminal obeys.
    names = {"healthy\udcff.wav": None, "a&b<i>\udcfe\x1b.wav": (1.0, 3.0)}
    for number, (name, fault) in enumerate(names.items()):
        soundfile.write(os.fsencode(tmp_path / name), hum(400 + number, 4, fault), RATE)
    pipeline = evaluation.pipeline
    verdicts = {tmp_path / name: pipeline.judge(tmp_path / name) for name in names}
    page = recordings_page(pipeline, verdicts, "", language, LINEAGE)
    elements = Elements(page)
    assert "<i>" not in page
    assert page.encode()
    assert all(name in elements.text for name in (r"healthy\xff.wav", r"a&b<i>\xfe\x1b.wav"))
    alarms = sum(verdict.is_anomaly for verdict in verdicts.values())
    assert len(elements.all("article")) == alarms
    assert alarms
