"""The LSTM autoencoder: the original's network, and what it can tell apart."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from asd.arrays import Spectrogram
from asd.detectors.lstm import Lstm, LstmAutoencoder, LstmConfig
from asd.errors import DetectorError
from asd.features.clipset import ClipSet


def make_clips(n_clips: int, seed: int, n_mels: int = 8) -> list[Spectrogram]:
    """Level slides upwards over time, from a random start."""
    rng = np.random.default_rng(seed)
    slope = np.linspace(0, 0.5, 20)
    starts = rng.uniform(0.1, 0.4, n_clips)
    return [np.tile(start + slope, (n_mels, 1)).astype(np.float32) for start in starts]


def test_is_the_network_of_the_original() -> None:
    shapes = {key: tuple(value.shape) for key, value in LstmAutoencoder().state_dict().items()}
    assert shapes == {
        "encoder_lstm.weight_ih_l0": (256, 128),
        "encoder_lstm.weight_hh_l0": (256, 64),
        "encoder_lstm.bias_ih_l0": (256,),
        "encoder_lstm.bias_hh_l0": (256,),
        "enc_linear.weight": (32, 64),
        "enc_linear.bias": (32,),
        "decoder_lstm.weight_ih_l0": (256, 32),
        "decoder_lstm.weight_hh_l0": (256, 64),
        "decoder_lstm.bias_ih_l0": (256,),
        "decoder_lstm.bias_hh_l0": (256,),
        "dec_output.weight": (128, 64),
        "dec_output.bias": (128,),
    }


def test_only_the_summary_passes_from_one_lstm_to_the_other() -> None:
    network = LstmAutoencoder(8, 6, 3, layers=2)
    clips = torch.rand(4, 8, 11)
    rebuilt = network(clips)
    assert rebuilt.shape == clips.shape
    frames_last = clips.transpose(1, 2)
    network.encoder_lstm.batch_first = network.decoder_lstm.batch_first = True
    _, (state, _) = network.encoder_lstm(frames_last)
    repeated = network.enc_linear(state[-1]).unsqueeze(1).repeat(1, 11, 1)
    expected = network.dec_output(network.decoder_lstm(repeated)[0]).transpose(1, 2)
    assert_allclose(rebuilt.detach().numpy(), expected.detach().numpy(), atol=1e-6)


def test_a_course_that_never_was_scores_higher() -> None:
    detector = Lstm(LstmConfig(epochs=60, hidden=16, latent=4, batch_size=8, learning_rate=0.01))
    detector.fit(ClipSet(make_clips(32, 0)), ClipSet(make_clips(8, 1)))
    backwards = [clip[:, ::-1] for clip in make_clips(8, 2)]
    assert (
        detector.score(ClipSet(backwards)).min()
        > 5 * detector.score(ClipSet(make_clips(8, 2))).max()
    )


def test_another_number_of_bands_is_refused() -> None:
    detector = Lstm(LstmConfig(epochs=1, hidden=4, latent=2))
    detector.fit(ClipSet(make_clips(3, 0)), ClipSet([]))
    with pytest.raises(DetectorError, match=r"trained on 8 mel bands, got 9; .*n_mels=8"):
        detector.score(ClipSet(make_clips(2, 0, n_mels=9)))
