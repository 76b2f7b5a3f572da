import numpy as np
import pytest

from robustmeta.metrics.flips import flips

FRAMES = np.array(
    [
        # steady, one spike, a change that stays, back and forth, always another
        [0, 1, 0, 0, 0],
        [0, 1, 0, 1, 1],
        [0, 4, 0, 0, 2],
        [0, 1, 2, 1, 3],
        [0, 1, 2, 0, 4],
    ]
)


def test_flips_from_the_previous_frame() -> None:
    assert flips(FRAMES, "previous").tolist() == [0, 0.5, 0.25, 1, 1]


def test_flips_from_the_first_frame() -> None:
    assert flips(FRAMES, "first").tolist() == [0, 0.25, 0.5, 0.5, 1]


def test_the_flip_probability_is_their_mean() -> None:
    assert flips(FRAMES, "previous").mean() == pytest.approx(11 / 20)
    assert flips(FRAMES, "first").mean() == pytest.approx(9 / 20)


def test_two_frames_leave_no_choice() -> None:
    pair = np.array([[3, 1], [3, 2]])
    assert flips(pair, "previous").tolist() == flips(pair, "first").tolist() == [0, 1]


def test_small_types_and_names_of_classes_do_not_matter() -> None:
    renamed = np.array([7, 5, 3, 1, 0], np.int16)[FRAMES]
    for reference in ("previous", "first"):
        assert flips(renamed, reference).tolist() == flips(FRAMES, reference).tolist()


@pytest.mark.parametrize("shape", [(1, 4), (0, 4), (5,)])
def test_one_frame_has_no_transition(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected predictions of two frames or more"):
        flips(np.zeros(shape, int), "previous")
