"""English or Japanese, for what people read: gettext catalogues below ``asd/locale``."""

import gettext
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Literal

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
