"""What MLflow's server says of requests that it refuses itself, before a model sees them."""

import functools
import json
import logging
from collections.abc import Callable
from typing import Any

from mlflow.pyfunc import scoring_server
from mlflow.pyfunc.scoring_server import InvocationsResponse

from asd.language import tr
from asd.text import printable

logger = logging.getLogger(__name__)

_MOST_LOGGED = 500
_JSON = '{"dataframe_records": [{"audio": "<base64 of a recording>"}]}'
Invocations = Callable[..., InvocationsResponse]


def guard_server() -> None:
    """Let the server of this process answer what it refuses by one line of JSON.

    MLflow puts the request, and mostly a stack trace, into such answers, and has none for a
    request without a content type. Its app is made after the model has been loaded, and looks for
    the function by its name with each request: here it gets another.
    """
    known = scoring_server.invocations
    if not hasattr(known, "__wrapped__"):
        scoring_server.invocations = guarded(known)


def guarded(invocations: Invocations) -> Invocations:
    """The same function, that tells what it refuses without stack trace and request.

    Parameters
    ----------
    invocations : callable
        Takes body, content type, model and schema.
    """

    @functools.wraps(invocations)
    def answer(data: Any, content_type: str | None, *others: Any) -> InvocationsResponse:
        try:
            result = invocations(data, content_type or "", *others)
        except Exception as error:  # noqa: BLE001 - none may reach who asked
            reason = str(error)
            told = printable(reason[:_MOST_LOGGED])
            logger.warning("refused: %s: %s", type(error).__name__, told)
            return _refusal(400, _params() if "parameters" in _head(reason).lower() else _rows())
        return result if result.status == 200 else _refusal(result.status, _type())

    return answer


def _head(reason: str) -> str:
    """What MLflow says itself: behind it comes what was sent."""
    return reason.rpartition("\nError: ")[2][:100]


def _rows() -> str:
    return tr(
        "the request cannot be read; send JSON as {json}, with `id` and `machine` as texts where "
        "you need them",
        json=_JSON,
    )


def _params() -> str:
    return tr(
        "params: must be an object in which false_alarm_rate and threshold are numbers, explain "
        "and windows true or false"
    )


def _type() -> str:
    return tr(
        "Content-Type: must be application/json, text/csv or application/vnd.apache.parquet, UTF-8"
    )


def _refusal(status: int, message: str) -> InvocationsResponse:
    body = json.dumps({"error_code": "BAD_REQUEST", "message": message})
    return InvocationsResponse(response=body, status=status, mimetype="application/json")
