"""English or Japanese, for what people read: gettext catalogues below ``asd/locale``."""

import gettext
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

from asd.errors import ConfigError

Language = Literal["en", "ja"]
LANGUAGES: tuple[Language, ...] = ("en", "ja")
MESSAGES = "messages"
"""The catalogue of what steps say, write and draw."""
VARIABLE = "ASD_LANG"
"""Environment variable that chooses the language."""
Say = Callable[[str], str]
"""From an English text to that of a language."""
_SPOKEN: ContextVar[Language | None] = ContextVar("language", default=None)
_CATALOGUES = Path(__file__).with_name("locale")
_LOCALE_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")


def chosen() -> Language:
    """The language of `speaking`, else that of ``ASD_LANG``, else of the locale, else English.

    Raises
    ------
    ConfigError
        ``ASD_LANG`` names a language that there is no catalogue for.
    """
    spoken = _SPOKEN.get()
    if spoken:
        return spoken
    wish = os.environ.get(VARIABLE, "")
    if wish:
        for language in LANGUAGES:
            if wish == language:
                return language
        raise ConfigError(f"{VARIABLE}={wish}: choose one of {', '.join(LANGUAGES)}")
    locale = next((value for key in _LOCALE_VARIABLES if (value := os.environ.get(key))), "")
    return "ja" if locale.startswith("ja") else "en"


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Speak a language inside of a block, whatever that of the process is."""
    token = _SPOKEN.set(language)
    try:
        yield
    finally:
        _SPOKEN.reset(token)


@cache
def translations(language: Language, domain: str) -> gettext.NullTranslations:
    """The texts of a language; English ones stand for themselves.

    Parameters
    ----------
    language : {'en', 'ja'}
        Language to read.
    domain : str
        Name of the catalogue: ``asd/locale/<language>/LC_MESSAGES/<domain>.mo``.
    """
    if language == "en":
        return gettext.NullTranslations()
    return gettext.translation(domain, _CATALOGUES, [language])


def tr(text: str, /, **values: object) -> str:
    """A text in the language of this process, with its placeholders filled.

    Each text is written once, in English, and looked up in the catalogue ``messages``; a test says
    which of them lack a translation. The language is that of the moment of the call.

    Parameters
    ----------
    text : str
        English, with placeholders of `str.format`, as in ``"{rate:.1%} promised"``.
    **values
        What takes the place of the placeholders.

    Examples
    --------
    >>> tr("{number} more in {file}", number=3, file="files.csv")
    '3 more in files.csv'
    """
    return translations(chosen(), MESSAGES).gettext(text).format(**values)


def trn(one: str, many: str, n: int, /, **values: object) -> str:
    """`tr` of one text or the other, as a number wants it; ``{n}`` is the number.

    Examples
    --------
    >>> trn("{n} event", "{n} events", 2)
    '2 events'
    """
    return translations(chosen(), MESSAGES).ngettext(one, many, n).format(n=n, **values)


@dataclass(frozen=True)
class Remark:
    """Words that are kept, as with a model, and read in the language of whoever reads them.

    They are said in every language at once, since what they are made of is gone later.
    """

    words: Mapping[str, str] = field(default_factory=dict)
    """By language; none for nothing to say."""

    @classmethod
    def of(cls, say: Callable[[], str]) -> Self:
        """What a function says, in every language.

        Examples
        --------
        >>> str(Remark.of(lambda: tr("warning: {warning}", warning="low")))
        'warning: low'
        """
        words = {}
        for language in LANGUAGES:
            with speaking(language):
                words[str(language)] = say()
        return cls({language: text for language, text in words.items() if text})

    @classmethod
    def kept(cls, saved: Any) -> Self:
        """Take back `words`, or a text of a release that kept one language.

        Raises
        ------
        ValueError
            It is neither.
        """
        words = {"en": saved} if isinstance(saved, str) else saved
        if not isinstance(words, dict) or not all(isinstance(w, str) for w in words.values()):
            raise ValueError("a remark is text, or text by language")
        return cls({language: text for language, text in words.items() if text})

    def __str__(self) -> str:
        """In the language of the moment; as it was kept where that is missing."""
        return self.words.get(chosen()) or next(iter(self.words.values()), "")

    def __bool__(self) -> bool:
        """Whether there is anything to say."""
        return bool(self.words)


def remarked(remarks: Iterable[Remark]) -> str:
    """Remarks in a row, in the language of the moment."""
    return "; ".join(str(remark) for remark in remarks if remark)
