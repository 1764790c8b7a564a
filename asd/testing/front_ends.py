"""What every front end promises, as tests to inherit.

::

    from asd.testing import FrontEndContract
    from mypackage.envelope import Envelope


    class TestEnvelope(FrontEndContract):
        front_end = Envelope
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from asd.arrays import Samples
from asd.config.features import FrontEndConfig
from asd.config.search import declared_values
from asd.errors import ConfigError
from asd.features.base import FrontEnd


def sounds(sample_rate: int) -> dict[str, Samples]:
    """Sounds of one second that a front end meets, by name; they cannot be written to."""
    time = np.arange(sample_rate) / sample_rate
    noise = 0.1 * np.random.default_rng(0).standard_normal(len(time))
    tone = 0.5 * np.sin(2 * np.pi * 0.1 * sample_rate * time)
    click = np.zeros(len(time))
    click[len(time) // 2] = 1.0
    named = {
        "noise": noise,
        "tone": tone,
        "full scale": np.sign(tone),
        "half silent": np.where(time < 0.5, noise, 0.0),
        "click": click,
        "constant": np.full(len(time), 0.5),
        "silence": np.zeros(len(time)),
    }
    fixed = {name: samples.astype(np.float32) for name, samples in named.items()}
    for samples in fixed.values():
        samples.flags.writeable = False
    return fixed


class FrontEndContract:
    """Tests of one front end; a test class inherits them and names it."""

    front_end: ClassVar[type[FrontEnd[Any]]]
    """The front end's class."""
    fields: ClassVar[Mapping[str, Any]] = {}
    """Fields that differ from their defaults."""

    @classmethod
    def build(cls, **fields: Any) -> FrontEnd[Any]:
        """A front end with these fields besides."""
        return cls.front_end(cls.front_end.Config.parse({**cls.fields, **fields}, "features."))

    def test_is_declared_as_front_ends_are(self) -> None:
        """A name, a version, a config with documented fields, search choices within them."""
        kind = self.front_end
        assert kind.name.isidentifier()
        assert kind.version >= 1
        assert issubclass(kind.Config, FrontEndConfig)
        for key, field in kind.Config.model_fields.items():
            assert field.description, f"{key} has no description"
            for value in declared_values(field):
                kind.Config.parse({**self.fields, key: value})

    def test_gives_finite_rows_over_time(self) -> None:
        """float32, as many rows for every sound, and at least one frame."""
        front_end = self.build()
        n_rows = len(front_end.axes().rows)
        for name, samples in sounds(front_end.sample_rate).items():
            values = front_end(samples)
            assert values.dtype == np.float32, name
            assert values.ndim == 2, name
            assert len(values) == n_rows, name
            assert values.shape[1] >= 1, name
            assert np.isfinite(values).all(), name

    def test_clips_of_any_length_are_taken(self) -> None:
        """Down to a single sample; longer clips have no fewer frames."""
        front_end = self.build()
        noise = sounds(front_end.sample_rate)["noise"]
        lengths = [1, 2, 100, 1000, len(noise) // 2, len(noise)]
        frames = []
        for length in lengths:
            values = front_end(noise[:length])
            assert np.isfinite(values).all(), length
            frames.append(values.shape[1])
        assert frames[0] >= 1
        assert frames == sorted(frames)

    def test_the_same_samples_give_the_same_bits(self) -> None:
        """From another object of the same config, and on any number of threads."""
        noise = sounds(self.build().sample_rate)["noise"]
        expected = self.build()(noise)
        before = torch.get_num_threads()
        try:
            for n_threads in (1, 3):
                torch.set_num_threads(n_threads)
                assert_array_equal(self.build()(noise), expected)
        finally:
            torch.set_num_threads(before)

    def test_samples_are_left_as_they_are(self) -> None:
        """They may be a view of something larger."""
        front_end = self.build()
        samples = sounds(front_end.sample_rate)["noise"].copy()
        before = samples.copy()
        front_end(samples)
        assert_array_equal(samples, before)

    def test_axes_say_what_rows_and_columns_are(self) -> None:
        """Rows rise, and as many frames as were given last about as long as the sound."""
        front_end = self.build()
        axes = front_end.axes()
        assert (np.diff(axes.rows) > 0).all()
        assert axes.row_unit
        assert axes.value
        assert axes.seconds_per_frame > 0
        noise = sounds(front_end.sample_rate)["noise"]
        seconds = front_end(np.tile(noise, 4)).shape[1] * axes.seconds_per_frame
        assert seconds == pytest.approx(4, abs=0.5)

    def test_the_key_tells_configs_apart(self) -> None:
        """The same config has the same key wherever it is made, another rate another one."""
        front_end = self.build()
        assert front_end.key == self.build().key
        assert len(front_end.key) == 16
        assert front_end.sample_rate == self.build().sample_rate
        other = self.build(sample_rate=front_end.sample_rate // 2)
        assert other.sample_rate == front_end.sample_rate // 2
        assert other.key != front_end.key

    def test_the_config_says_all_that_matters(self) -> None:
        """A front end made of its written config gives the same values under the same key."""
        front_end = self.build()
        written = front_end.config.model_dump(mode="json")
        again = self.front_end(self.front_end.Config.parse(written))
        assert again.key == front_end.key
        noise = sounds(front_end.sample_rate)["noise"]
        assert_array_equal(again(noise), front_end(noise))

    def test_an_unknown_key_is_named_with_the_valid_ones(self) -> None:
        """In one line."""
        config = self.front_end.Config
        with pytest.raises(ConfigError, match=r"features\.nonsense: unknown key") as error:
            config.parse({"nonsense": 1}, "features.")
        assert all(key in str(error.value) for key in config.keys("features."))
        assert "\n" not in str(error.value)
