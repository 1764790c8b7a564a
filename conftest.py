"""Tests speak English, whatever the language of the machine; those of Japanese ask for it."""

import os

os.environ["ASD_LANG"] = "en"
# Processes take seconds to start, longer than the work of most tests; those of them ask for some.
os.environ["LOKY_MAX_CPU_COUNT"] = "1"
