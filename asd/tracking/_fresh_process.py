"""The program behind `asd.tracking.fresh`: a request on stdin, a judgement a file on stdout.

It imports nothing of this package, so that the code logged with the model is what runs.
"""

import base64
import json
import sys
from pathlib import Path

import mlflow
import pandas as pd


def main() -> None:
    """Load the model and judge the files; the last line of stdout is the answer as JSON."""
    request = json.load(sys.stdin)
    model = mlflow.pyfunc.load_model(request["model_uri"])
    audio = [base64.b64encode(Path(path).read_bytes()).decode() for path in request["files"]]
    rows = model.predict(pd.DataFrame({"audio": audio}))
    sys.stdout.write(f"\n{json.dumps(rows)}\n")


if __name__ == "__main__":
    main()
