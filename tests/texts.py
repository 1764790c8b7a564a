"""The texts of the code: found, and taken up into the catalogue by ``python -m tests.texts``."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from babel.messages import extract, mofile, pofile
from babel.messages.catalog import Catalog

from asd import language

CODE = Path(language.__file__).parent
JAPANESE = CODE / "locale/ja/LC_MESSAGES"
CATALOGUE = JAPANESE / "messages.po"
KEYWORDS = {"tr": None, "trn": (1, 2), "count": (2,), "Metric": (2,)}
"""Calls whose arguments are texts: `asd.language.tr`, `trn`, `asd.text.count`, and `Metric`."""

HEADER = r"""msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\n"
"Language: ja\n"
"Plural-Forms: nplurals=1; plural=0;\n"

"""
Text = str | tuple[str, str]


def extracted() -> set[Text]:
    """Every text in the code; a pair where there is a plural."""
    found = extract.extract_from_dir(CODE, [("**.py", "python")], keywords=KEYWORDS)
    return {as_text(message) for _, _, message, _, _ in found}


def as_text(message: str | Sequence[str]) -> Text:
    """What Babel calls the id of a message."""
    return message if isinstance(message, str) else (message[0], message[1])


def known() -> set[Text]:
    """Every text in the catalogue."""
    return {as_text(message.id) for message in catalogue() if message.id}


def japanese(among: Catalog, text: Text) -> str:
    """The translation of a text; empty where there is none."""
    message = among.get(text)
    string = message.string if message else ""
    return string if isinstance(string, str) else (string or ("",))[0]


def catalogue() -> Catalog:
    """The Japanese texts."""
    return read(CATALOGUE)


def read(path: Path) -> Catalog:
    """A catalogue, as if it were of no date: what is compiled then changes with its texts only."""
    with path.open("rb") as file:
        found = pofile.read_po(file, locale="ja")
    found.creation_date = datetime.fromtimestamp(0, UTC)
    return found


def taken_up(old: Catalog) -> Catalog:
    """The catalogue with exactly the texts of the code, in the order of the alphabet.

    Those that are not translated yet are empty.
    """
    new = Catalog(locale="ja", charset="utf-8", fuzzy=False)
    for text in extracted():
        given = japanese(old, text)
        message = new.add(text, given if isinstance(text, str) else (given,))
        # They are of `str.format`; a share as "5 % in" is no format of printf.
        message.flags.discard("python-format")
    return new


def main() -> None:
    """Write the catalogue, and compile all that there are."""
    new = taken_up(catalogue())
    with CATALOGUE.open("wb") as file:
        file.write(HEADER.encode())
        pofile.write_po(file, new, width=100, sort_output=True, omit_header=True)
    for path in JAPANESE.glob("*.po"):
        with path.with_suffix(".mo").open("wb") as file:
            mofile.write_mo(file, read(path))


if __name__ == "__main__":
    main()
