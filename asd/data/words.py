"""Words by which people name normal and abnormal recordings, and the sides of a split.

They are known in any case, in full or half width, with running numbers (``NG_01``) and with words
that say nothing (``normal sounds``). `suspicious` finds words inside names, for warnings only.
"""

import re
import unicodedata

from asd.data.manifest import Label, Split

_LABELS: dict[Label, str] = {
    "normal": "normal normals ok okay good healthy pass passed faultless faultfree nofault "
    "nofaults 正常 正常音 良品 良好 良 健全",
    "anomaly": "abnormal abnormals abnormality anomaly anomalies anomalous anomal ng nok notok "
    "notgood nogood notnormal bad broken fault faults faulty defect defects defective failure "
    "failures failed fail damaged unhealthy 異常 異常音 異音 不良 不良品 不良音 故障 故障音",
    "unknown": "unknown unlabelled unlabeled 不明",
}
_SPLITS: dict[Split, str] = {
    "train": "train training 学習 学習用 訓練 訓練用",
    "valid": "valid validation val eval evaluation 検証 検証用",
    "test": "test testing tests テスト テスト用 試験 試験用",
}
_SAYING_NOTHING = (
    "audio audios clip clips data dataset file files folder mp3 recording recordings sample "
    "samples set sound sounds wav wave データ 音声 録音"
)
_STEMS = ("abnorm", "anomal", "defect", "fault", "fail", "broke", "damage", "leak", "unhealth")
_JAPANESE = ("異常", "異音", "不良", "故障", "漏れ", "漏洩", "破損")
_SHORT = frozenset({"ng", "nok", "bad"})
_NOT = frozenset({"no", "non", "not", "without", "free", "less", "safe", "無し", "なし"})

_BY_WORD: dict[str, Label] = {
    word: label for label, words in _LABELS.items() for word in words.split()
}
_SIDE_BY_WORD: dict[str, Split] = {
    word: side for side, words in _SPLITS.items() for word in words.split()
}
_MADE = frozenset({"pitch", "pitched", "noise", "noised", "noisy"})
"""What the original scripts put before the name of a side."""

LABEL_WORDS = "normal, ok, good, 0 or 正常; anomaly, abnormal, ng, bad, 1 or 異常; unknown"
"""Some of the words, for messages."""


def label_of(word: str) -> Label | None:
    """What a folder's name, or a cell of a table, says of a recording.

    Examples
    --------
    >>> label_of("Normal"), label_of("NG_01"), label_of("異常データ"), label_of("pump 3")
    ('normal', 'anomaly', 'anomaly', None)
    """
    return _BY_WORD.get(_core(word))


def cell_label(word: str) -> Label | None:
    """`label_of` for a cell of a table, where 0 is normal and 1 an anomaly.

    Examples
    --------
    >>> cell_label("0"), cell_label("1"), cell_label("OK"), cell_label("2")
    ('normal', 'anomaly', 'normal', None)
    """
    known: dict[str, Label] = {"0": "normal", "1": "anomaly"}
    plain = unicodedata.normalize("NFKC", word).strip()
    if len(plain.splitlines()) > 1:  # a cell that has swallowed another
        return None
    return known.get(plain.removesuffix(".0")) or label_of(word)


def split_of(word: str) -> Split | None:
    """Which side of the split a folder's name, or a cell of a table, means.

    Examples
    --------
    >>> split_of("Train"), split_of("val"), split_of("test_data"), split_of("test bench")
    ('train', 'valid', 'test', None)
    """
    # A number means another thing: test1, test2 and test3 are what somebody has tried.
    return _SIDE_BY_WORD.get(_core(word)) if not re.search(r"\d", word) else None


def made_side(folder: str) -> tuple[Split, frozenset[str]] | None:
    """The side of a folder of the original scripts, and what was done to it.

    Examples
    --------
    >>> made_side("pitch-train"), made_side("test"), made_side("noise")
    (('train', frozenset({'pitch'})), ('test', frozenset()), None)
    """
    *done, last = _tokens(folder) or [""]
    side = _SIDE_BY_WORD.get(last)
    return (side, frozenset(done)) if side and _MADE.issuperset(done) else None


def suspicious(name: str) -> str:
    """The first word inside a name that speaks of a fault; empty for none.

    Examples
    --------
    >>> suspicious("pump_NG_3"), suspicious("LeakTest2"), suspicious("running no fault")
    ('NG', 'Leak', '')
    """
    plain = unicodedata.normalize("NFKC", name)
    for word in _JAPANESE:
        if word in plain:
            return word
    tokens = re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain))
    for i, token in enumerate(tokens):
        around = {t.casefold() for t in tokens[max(0, i - 1) : i + 2]}
        word = token.casefold()
        if (word in _SHORT or word.startswith(_STEMS)) and not (
            around & _NOT or word in ("faultless", "faultfree", "failsafe")
        ):
            return str(token)
    return ""


def is_japanese(text: str) -> bool:
    """Whether a text holds hiragana, katakana or kanji."""
    return re.search(r"[぀-ヿㇰ-ㇿ㐀-䶿一-鿿豈-﫿ｦ-ﾝ々]", text) is not None


def _tokens(word: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", word).casefold()
    return [token for token in re.split(r"[\W_]+", plain) if token]


def _core(word: str) -> str:
    """The word itself: without case, numbers around it, and words that say nothing."""
    tokens = [re.sub(r"^\d+|\d+$", "", token) for token in _tokens(word)]
    core = "".join(token for token in tokens if token and token not in _SAYING_NOTHING.split())
    for ending in ("データ", "サンプル", "録音", "音声"):
        core = core.removesuffix(ending) or core
    return core
