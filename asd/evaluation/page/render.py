"""Templates to pages."""

import base64
import hashlib
import io
from importlib import resources

from fontTools.subset import Options, Subsetter, load_font, save_font
from jinja2 import Environment, FunctionLoader, StrictUndefined

from asd.evaluation.style import japanese_font
from asd.language import Language, translations
from asd.text import printable_lines

DOMAIN = "report"
_FONT_MARK = "/* embedded font */"
_JUMP = """
document.addEventListener("click", event => {
  const link = event.target.closest("a[href^='#']");
  const part = link && document.getElementById(link.hash.slice(1));
  if (!part) return;
  event.preventDefault();
  part.tabIndex = -1;
  part.focus();
  part.scrollIntoView();
});
"""
"""MLflow shows the page in a frame in which a browser follows no link, not even within the page."""
_FIRST_JAPANESE = "\u2e80"


def render(template: str, language: Language, **values: object) -> str:
    """A page from a template of this package; all values are escaped and made printable.

    Parameters
    ----------
    template : str
        Name of the file.
    language : {'en', 'ja'}
        Language of the page.
    **values
        What the template speaks of.
    """
    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    texts = translations(language, DOMAIN)
    environment.install_gettext_translations(texts, newstyle=True)  # type: ignore[attr-defined]
    digest = base64.b64encode(hashlib.sha256(_JUMP.encode()).digest()).decode()
    written = environment.get_template(template).render(
        language=language, script=_JUMP, script_digest=digest, **values
    )
    page = printable_lines(written)
    return page.replace(_FONT_MARK, _font(page))


def _font(page: str) -> str:
    """A font of the Japanese characters of a page, for computers that have none; else nothing."""
    characters = "".join(sorted({c for c in page if c >= _FIRST_JAPANESE}))
    if not characters:
        return ""
    options = Options()
    options.flavor = "woff"
    subsetter, content = Subsetter(options), io.BytesIO()
    subsetter.populate(text=characters)
    with load_font(str(japanese_font()), options) as font:
        subsetter.subset(font)
        save_font(font, content, options)
    uri = f"data:font/woff;base64,{base64.b64encode(content.getvalue()).decode()}"
    source = f"src: url({uri}) format('woff'); unicode-range: U+2E80-10FFFF; font-display: block"
    return f"@font-face {{ font-family: Embedded; {source}; }}"


def _source(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
