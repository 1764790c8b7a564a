"""Make the golden record anew, for when a recorded value was wrong.

``python -m tests.golden.make``, from the root of the project, on any machine. Look at the
difference in Git and say in the commit why each change is right. A stored pipeline is what a
release has saved: it is made where there is none, and never replaced. Real recordings are those
that the tests take, in ``ASD_DATA_DIR`` or ``../shared/data``; without them what is recorded of
them stays.
"""

import json
import logging
import re
import shutil
import tempfile
from pathlib import Path

from tests.golden.run import Observed, Pipeline, probe, real_recordings, run_apart

HERE = Path(__file__).parent
RECORD = HERE / "record.json"
PIPELINES = HERE / "pipelines"

logger = logging.getLogger(__name__)


def judge(name: str, sound: Path) -> Observed:
    """What the stored pipeline of a detector says of a sound."""
    verdict = Pipeline.load(PIPELINES / name).judge(sound)
    return {
        "threshold": verdict.threshold,
        "scores": [window.anomaly_score for window in verdict.windows],
        "p_values": [window.p_value for window in verdict.windows],
    }


def main() -> None:
    """Write the record, and the pipelines that are missing."""
    real = real_recordings()
    before = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        record = run_apart(folder, real)
        for part in ("data", "detectors"):
            record[part] = before.get(part, {}) | record[part]
        record["stored"] = before.get("stored", {})
        for model in sorted((folder / "models/hum").iterdir()):
            if not (PIPELINES / model.name).exists():
                shutil.copytree(model, PIPELINES / model.name)
                record["stored"][model.name] = judge(model.name, probe(folder / "probe.wav"))
    RECORD.write_text(_readable(record), encoding="utf-8")
    logger.info("%s: %d kB", RECORD, RECORD.stat().st_size // 1000)


def _readable(record: Observed) -> str:
    """JSON with a list of numbers or words on one line."""
    text = json.dumps(record, indent=1, ensure_ascii=False)
    return re.sub(r"\[[^\[\]{}]*\]", lambda found: " ".join(found[0].split()), text) + "\n"


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
