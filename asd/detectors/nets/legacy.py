"""Checkpoints of the original scripts, taken over without unpickling anything."""

import warnings
from collections.abc import Iterable
from pathlib import Path
from pickle import UnpicklingError  # nosec B403 # the error alone

import torch

from asd.config import LogMelConfig
from asd.detectors.cnn import Cnn, CnnConfig, ConvAutoencoder
from asd.detectors.lstm import Lstm, LstmAutoencoder, LstmConfig
from asd.errors import DetectorError
from asd.language import tr

Weights = dict[str, torch.Tensor]

_PICKLES = (".pkl", ".pickle", ".joblib")


def import_checkpoint(path: Path) -> tuple[Cnn | Lstm, LogMelConfig]:
    """Make a fitted detector of a ``.pth`` file of the original CNN or LSTM.

    The file is recognised by the names and shapes of its weights and loaded with
    ``weights_only``: nothing in it is run.

    Parameters
    ----------
    path : Path
        A state dict written by ``torch.save``.

    Returns
    -------
    detector : Cnn or Lstm
        Scores as the original did; its configuration is read off the weights.
    features : LogMelConfig
        The front end of the original scripts, with as many mel bands as the weights need.

    Raises
    ------
    DetectorError
        The file cannot be read safely, or is not a state dict of either network.
    """
    weights = _read(path)
    lstm = any(key.split(".")[0] in ("encoder_lstm", "decoder_lstm") for key in weights)
    return _lstm(path, weights) if lstm else _cnn(path, weights)


def _read(path: Path) -> Weights:
    if path.suffix.lower() in _PICKLES:
        raise DetectorError(
            tr(
                "{path}: pickled models are not imported, because opening a pickle "
                "runs whatever code is in it; train the detector again (-e train -P "
                "model=gmm takes seconds)",
                path=path,
            )
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about how old or foreign the file is
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise DetectorError(
            tr("{path}: no such file; give checkpoint=<.pth file>", path=path)
        ) from error
    except (
        *(OSError, EOFError, RuntimeError, ValueError, LookupError, UnpicklingError),
        *(TypeError, AttributeError, MemoryError, RecursionError),
    ) as error:
        raise DetectorError(
            tr(
                "{path}: not a file of weights alone; write one with "
                "torch.save(model.state_dict(), path)",
                path=path,
            )
        ) from error
    if not isinstance(content, dict) or not all(_is_weights(*item) for item in content.items()):
        raise DetectorError(
            tr(
                "{path}: not a state dict; write one with torch.save(model.state_dict(), path)",
                path=path,
            )
        )
    bad = [key for key, value in content.items() if not torch.isfinite(value).all()]
    if bad:
        raise DetectorError(
            tr(
                "{path}: {bad} holds values that are not finite; train again",
                path=path,
                bad=_list(bad),
            )
        )
    return content


def _is_weights(key: object, value: object) -> bool:
    """Whether an entry is an array of numbers under a name, as large as what the file holds of it.

    A few bytes can claim to be a terabyte, by a stride of 0 or as a sparse array.
    """
    if not isinstance(key, str) or not isinstance(value, torch.Tensor):
        return False
    if value.layout != torch.strided or value.is_complex():
        return False
    return value.untyped_storage().nbytes() >= value.numel() * value.element_size()


def _cnn(path: Path, weights: Weights) -> tuple[Cnn, LogMelConfig]:
    _check_layout(path, ConvAutoencoder(1), weights)
    detector = Cnn(CnnConfig.parse({"channels": len(weights["encoder.0.weight"])}))
    _adopt(path, detector, weights)
    return detector, LogMelConfig(scaling="clip_max")


def _lstm(path: Path, weights: Weights) -> tuple[Lstm, LogMelConfig]:
    layers = max(1, sum(key.startswith("encoder_lstm.weight_ih_l") for key in weights))
    _check_layout(path, LstmAutoencoder(1, 1, 1, layers), weights)
    latent, hidden = weights["enc_linear.weight"].shape
    config = LstmConfig.parse({"hidden": hidden, "latent": latent, "layers": layers})
    detector = Lstm(config)
    _adopt(path, detector, weights)
    n_mels = len(weights["dec_output.weight"])
    return detector, LogMelConfig.parse({"scaling": "clip_max", "n_mels": n_mels})


def _check_layout(path: Path, smallest: torch.nn.Module, weights: Weights) -> None:
    """The same names, and as many axes, as in the smallest network of the kind."""
    expected = smallest.state_dict()
    missing = expected.keys() - weights.keys()
    extra = weights.keys() - expected.keys()
    problems = [f"lacks {_list(missing)}"] if missing else []
    problems += [f"has {_list(extra)} besides"] if extra else []
    if not problems:
        odd = [key for key, value in expected.items() if weights[key].ndim != value.ndim]
        problems += [f"has another shape of {_list(odd)}"] if odd else []
    if problems:
        raise DetectorError(
            tr(
                "{path}: {problems}; only state dicts of the original CNN "
                "(encoder.0.weight to decoder.4.bias) and LSTM can be imported",
                path=path,
                problems=" and ".join(problems),
            )
        )


def _adopt(path: Path, detector: Cnn | Lstm, weights: Weights) -> None:
    try:
        detector.adopt(weights)
    except RuntimeError as error:
        mismatch = "; ".join(line.strip() for line in str(error).splitlines()[1:])
        raise DetectorError(
            tr(
                "{path}: not the original {name}: {mismatch}",
                path=path,
                name=detector.name.upper(),
                mismatch=mismatch,
            )
        ) from error


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
