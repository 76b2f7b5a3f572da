import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from robustmeta.rng import Rng, combine, hash64, mix

KEYS = np.arange(200, dtype=np.uint64)


def test_row_depends_on_its_key_alone() -> None:
    whole = Rng(3, ("noise", 0), KEYS).normal(2, 5)
    part = Rng(3, ("noise", 0), KEYS[[7, 100, 3]]).normal(2, 5)
    assert torch.equal(whole[[7, 100, 3]], part)


def test_successive_draws_differ_alike_for_every_key() -> None:
    one, other = Rng(0, ("a",), KEYS), Rng(0, ("a",), KEYS[5:6])
    first, second = one.uniform(4), one.uniform(4)
    assert not torch.equal(first, second)
    other.uniform(4)
    assert torch.equal(second[5:6], other.uniform(4))


def test_seed_stream_and_all_64_bits_of_a_key_matter() -> None:
    base = Rng(0, ("a",), [1]).uniform(8)
    others = [Rng(1, ("a",), [1]), Rng(0, ("b",), [1]), Rng(0, ("a",), [1 + 2**32]), Rng(0, ("a",), [1 + 2**63])]
    assert all(not torch.equal(base, o.uniform(8)) for o in others)


def test_uniform_and_normal_follow_their_laws() -> None:
    rng = Rng(11, ("law",), np.arange(1000, dtype=np.uint64))
    uniform, normal = rng.uniform(100).flatten().numpy(), rng.normal(100).flatten().numpy()
    assert stats.kstest(uniform, "uniform").pvalue > 1e-3
    assert stats.kstest(normal, "norm").pvalue > 1e-3
    assert uniform.min() >= 0
    assert uniform.max() < 1


def test_neighbouring_keys_are_uncorrelated() -> None:
    rows = Rng(0, ("c",), np.arange(300, dtype=np.uint64)).normal(2000).numpy()
    correlations = np.corrcoef(rows)[np.triu_indices(300, 1)]
    assert abs(correlations).max() < 6 / np.sqrt(2000)
    assert stats.kstest(correlations * np.sqrt(2000), "norm").pvalue > 1e-3


def test_permutations_are_permutations_and_uniform() -> None:
    orders = Rng(0, ("p",), np.arange(6000, dtype=np.uint64)).permutation(3)
    codes = orders[:, 0] * 9 + orders[:, 1] * 3 + orders[:, 2]
    _, counts = np.unique(codes.numpy(), return_counts=True)
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 1e-3


@given(st.integers(-5, 5), st.integers(1, 40))
def test_integers_stay_in_range(low: int, span: int) -> None:
    drawn = Rng(0, ("i",), KEYS).integers(low, low + span, 7)
    assert drawn.min() >= low
    assert drawn.max() < low + span


def test_generator_is_splitmix64() -> None:
    """The first outputs for seed 1234567, as listed by Rosetta Code (Pseudo-random numbers/Splitmix64)."""
    states = np.uint64(1234567) + np.arange(1, 6, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert mix(states).tolist() == expected


def test_golden_draws() -> None:
    """Stored studies rest on these numbers: another generator would be another version of every component."""
    assert hash64("a", 1) == 17484960890432282925
    assert combine(np.uint64(1), np.uint64(2)) == np.uint64(583880340377267059)
    uniform, normal = Rng(0, ("golden",), [0, 1]).uniform(2), Rng(0, ("golden",), [0, 1]).normal(2)
    assert torch.allclose(uniform, torch.tensor([[0.865905, 0.790672], [0.028895, 0.130812]]), atol=1e-6)
    assert torch.allclose(normal, torch.tensor([[0.135644, -0.519192], [1.812587, 1.950058]]), atol=1e-5)


def test_global_state_is_left_alone() -> None:
    before = torch.get_rng_state()
    Rng(0, ("x",), KEYS).normal(3)
    assert torch.equal(before, torch.get_rng_state())
