"""English or Japanese, for what people read: gettext catalogues below ``asd/locale``."""

import gettext
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from asd.errors import ConfigError

Language = Literal["en", "ja"]
LANGUAGES: tuple[Language, ...] = ("en", "ja")
VARIABLE = "ASD_LANG"
"""Environment variable that chooses the language."""
Say = Callable[[str], str]
"""From an English text to that of a language."""
_CATALOGUES = Path(__file__).with_name("locale")
_LOCALE_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")


def chosen() -> Language:
    """The language of this process: that of ``ASD_LANG``, else of the locale, else English.

    Raises
    ------
    ConfigError
        ``ASD_LANG`` names a language that there is no catalogue for.
    """
    wish = os.environ.get(VARIABLE, "")
    if wish:
        for language in LANGUAGES:
            if wish == language:
                return language
        raise ConfigError(f"{VARIABLE}={wish}: choose one of {', '.join(LANGUAGES)}")
    locale = next((value for key in _LOCALE_VARIABLES if (value := os.environ.get(key))), "")
    return "ja" if locale.startswith("ja") else "en"


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


def english(text: str) -> str:
    """The text as it is: the `Say` of English."""
    return text
