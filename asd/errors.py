"""Every error that a user can cause, and nothing else.

::

    AsdError                  one line for the user, exit code 2
    ├── ConfigError           a key, value, model or parameter that is not valid
    ├── DataError             something about files, folders, labels or manifests
    │   ├── AudioError        one recording cannot be used
    │   └── NotEnoughClipsError   too few clips for what was asked
    ├── FeatureError          a front end, or the store of features, cannot be used
    ├── DetectorError         a detector cannot be fitted, saved or loaded
    ├── TrackingError         the MLflow store, a run or a model cannot be used
    ├── ServerError           a server of a model cannot be asked, started or followed
    ├── OutputError           a file or folder cannot be written
    └── WorkerError           a process that did part of the work is gone

The message of each names the file or key, the rule that was broken and the remedy. Any other
exception is a bug and keeps its traceback.
"""


class AsdError(Exception):
    """Base of the errors that a user can cause and mend."""


class ConfigError(AsdError):
    """A configuration key, value or parameter is not valid."""


class DataError(AsdError):
    """Files, folders, labels or a manifest cannot be used as they are."""


class AudioError(DataError):
    """One recording cannot be used."""


class NotEnoughClipsError(DataError):
    """There are fewer clips than the operation needs."""


class FeatureError(AsdError):
    """A front end, or the store of features, cannot be used."""


class DetectorError(AsdError):
    """A detector cannot be fitted, saved or loaded."""


class TrackingError(AsdError):
    """The MLflow store, a run or a registered model cannot be used."""


class ServerError(AsdError):
    """A server of a model cannot be asked, started or followed."""


class OutputError(AsdError):
    """A file or folder cannot be written. It says nothing of the recording that it is made from."""


class WorkerError(AsdError):
    """A process that did part of the work was ended from outside."""
