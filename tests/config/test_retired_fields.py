"""Settings that an earlier release wrote out whole still mean what they meant."""

import pytest

from asd.config.recipes import recipe_of
from asd.config.steps import TrainConfig


@pytest.mark.parametrize(
    ("detector", "front_end", "now"),
    [
        ("normalised", "none", "power"),
        ("normalised", "rms", "rms"),
        ("kept", "none", "none"),
    ],
)
def test_a_level_left_to_the_detector_is_not_kept_by_the_front_end(
    detector: str, front_end: str, now: str
) -> None:
    config = TrainConfig(
        model="knn", detector={"level": detector}, features={"n_mels": 64, "level": front_end}
    )
    assert recipe_of(config).branches[0].features == {"n_mels": 64, "level": now}
