"""Tests speak English, whatever the language of the machine; those of Japanese ask for it."""

import os

os.environ["ASD_LANG"] = "en"
