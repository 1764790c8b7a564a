"""Templates to pages."""

from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined

from asd.language import Language, translations

DOMAIN = "report"


def render(template: str, language: Language, **values: object) -> str:
    """A page from a template of this package; all values are escaped.

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
    return environment.get_template(template).render(language=language, **values)


def _source(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
