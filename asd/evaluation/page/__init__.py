"""The page that people read: one HTML file with pictures and sounds, which needs no network."""

from asd.evaluation.page.evaluated import evaluation_page
from asd.evaluation.page.scored import recordings_page

__all__ = ["evaluation_page", "recordings_page"]
