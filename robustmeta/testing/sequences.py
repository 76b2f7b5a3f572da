"""Checks of a perturbation sequence."""

import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from robustmeta.core import to_float
from robustmeta.corruptions.samples import ink, scenes
from robustmeta.rng import Keys, Rng
from robustmeta.sequences.decorator import FrameSequence
from robustmeta.testing.draws import Spy, global_state
from robustmeta.testing.finding import Finding, Wrong, examine

SAMPLES = 2
STILL = 0.5
"""Share of frames that may repeat the one before in a sequence that moves."""


def check_sequence(sequence: FrameSequence, images: UInt8[Tensor, "N C H W"] | None = None) -> list[Finding]:
    """Check what every sequence must keep to, at all its levels, on given images or on made ones, gray and RGB.

    If it does not run at all, that is the only finding.
    """
    made = (ink(SAMPLES), scenes(SAMPLES), scenes(2, 48)[:, :1, :, :36])
    return examine(Trial(sequence, made if images is None else (images,)), CHECKS)


@dataclass(frozen=True, eq=False)
class Trial:
    """A sequence and the sets of images to try it on; what it makes of them is kept."""

    sequence: FrameSequence
    sets: tuple[Tensor, ...]
    kept: dict[tuple[str, int, int], Tensor] = field(default_factory=dict)

    def each(self) -> Iterator[tuple[str, object, Tensor, Tensor]]:
        """Every level (with a name for messages) on every set of images, and the frames (F, N, C, H, W) it makes."""
        for table, levels in self.sequence.tables.items():
            for difficulty, level in enumerate(levels, 1):
                for place, images in enumerate(self.sets):
                    name = (table, difficulty, place)
                    if name not in self.kept:
                        self.kept[name] = self.run(images, level)
                    size = "x".join(map(str, images.shape[1:]))
                    where = f"table {table}, difficulty {difficulty}, images of {size}"
                    yield where, level, images, self.kept[name]

    def run(self, images: Tensor, level: object, keys: Keys | None = None, chunk: int = 256) -> Tensor:
        """All frames under keys 0, 1, 2, ... or the given ones."""
        return torch.stack(list(self.sequence(images, level, _rng(images, keys), chunk)))


def _keys(images: Tensor) -> Keys:
    return np.arange(len(images), dtype=np.uint64)


def _rng(images: Tensor, keys: Keys | None = None) -> Rng:
    return Rng(0, ("check",), _keys(images) if keys is None else keys)


def _runs(trial: Trial) -> str:
    found: dict[str, int] = {}
    for where, _, _, frames in trial.each():
        found[where.split(",")[0]] = len(frames)
    if not found:
        raise Wrong("it has no levels; give it a table")
    return "frames: " + ", ".join(f"{table} {count}" for table, count in found.items())


def _shape_and_range(trial: Trial) -> str:
    low, high = 1.0, 0.0
    for where, level, images, _ in trial.each():
        for i, frame in enumerate(trial.sequence.function(to_float(images), level, _rng(images))):
            if frame.shape != images.shape or frame.dtype != torch.float32:
                want = f"torch.float32 {tuple(images.shape)}"
                raise Wrong(f"{where}, frame {i}: expected {want}, got {frame.dtype} {tuple(frame.shape)}")
            low, high = min(low, float(frame.min())), max(high, float(frame.max()))
            if low < 0 or high > 1:
                raise Wrong(f"{where}, frame {i}: expected values in [0, 1], got [{low:.4g}, {high:.4g}]; clamp them")
    return f"float32, shape kept, [{low:.3g}, {high:.3g}]"


def _same_key(trial: Trial) -> str:
    for where, level, images, frames in trial.each():
        if not torch.equal(frames, trial.run(images, level)):
            raise Wrong(f"{where}: two calls with the same keys differ; draw from rng alone")
    return "same keys, same frames"


def _batching(trial: Trial) -> str:
    for where, level, images, frames in trial.each():
        if not torch.equal(frames, trial.run(images, level, chunk=1)):
            raise Wrong(f"{where}: an image alone differs from the same image in a batch")
        if not torch.equal(frames.flip(1), trial.run(images.flip(0), level, _keys(images)[::-1].copy())):
            raise Wrong(f"{where}: reversing the batch changes images; row i may depend on image i and key i alone")
    return "same images alone, in a batch, in reverse"


def _shared_draws(trial: Trial) -> str:
    images = trial.sets[0]
    for table, levels in trial.sequence.tables.items():
        streams: list[set[tuple[object, ...]]] = []
        for level in levels:
            spy = Spy(_keys(images))
            for _ in trial.sequence.function(to_float(images), level, spy):
                pass
            streams.append(spy.seen)
        if any(not (a <= b or b <= a) for a, b in pairwise(streams)):
            raise Wrong(f"table {table}: levels draw from different streams; keep the level out of rng.child")
    return "the levels share their draws"


def _moves(trial: Trial) -> str:
    """Fresh noise never repeats a frame. Else a few may, where a small motion is less than a pixel or a grey level."""
    most = 0.0 if trial.sequence.reference == "first" else STILL
    worst = 0.0
    for where, _, _, frames in trial.each():
        still = (frames[1:] == frames[:-1]).flatten(1).all(1)
        share = float(still.double().mean())
        if share > most:
            i = int(still.nonzero()[0, 0])
            raise Wrong(
                f"{where}: {share:.0%} of the frames repeat the one before, such as {i + 1}; make frames differ"
            )
        worst = max(worst, share)
    return f"at most {worst:.0%} of the frames repeat the one before"


def _harder(trial: Trial) -> str:
    found: list[str] = []
    for table, levels in trial.sequence.tables.items():
        means = [
            float(np.mean([_step(trial, table, d, i) for i in range(len(trial.sets))])) for d in range(len(levels))
        ]
        text = ", ".join(f"{m:.4f}" for m in means)
        if any(b <= a for a, b in pairwise(means)):
            raise Wrong(f"table {table}: mean |frame − reference| is {text}; it must grow with the difficulty")
        found.append(f"{table}: {text}")
    return f"mean |frame − reference| is {'; '.join(found)}"


def _step(trial: Trial, table: str, difficulty: int, place: int) -> float:
    x = trial.kept[table, difficulty + 1, place].double() / 255
    before = x[:-1] if trial.sequence.reference == "previous" else x[:1]
    return float((x[1:] - before).abs().mean())


def _untouched(trial: Trial) -> str:
    before = global_state()
    for where, level, images, _ in trial.each():
        x, rng = to_float(images), _rng(images)
        given, made, copies = x.clone(), [], []
        for frame in trial.sequence.function(x, level, rng):
            made.append(frame)
            copies.append(frame.clone())
        if not torch.equal(x, given):
            raise Wrong(f"{where}: it writes into its input; work on x.clone()")
        if any(not torch.equal(a, b) for a, b in zip(made, copies, strict=True)):
            raise Wrong(f"{where}: it writes into a frame that it has yielded; yield new tensors")
        if global_state() != before:
            raise Wrong(f"{where}: it draws from a global generator (torch, numpy or random); draw from rng")
    return "input, frames already made and global generators"


def _pickle(trial: Trial) -> str:
    again = Trial(pickle.loads(pickle.dumps(trial.sequence)), trial.sets)
    for where, level, images, frames in trial.each():
        if not torch.equal(frames, again.run(images, level)):
            raise Wrong(f"{where}: its pickled copy gives other frames")
    return "can be sent to another process"


CHECKS: Mapping[str, Callable[[Trial], str]] = {
    "runs": _runs,
    "shape, type and range": _shape_and_range,
    "same key": _same_key,
    "batch size and order": _batching,
    "shared draws": _shared_draws,
    "frames differ": _moves,
    "harder with difficulty": _harder,
    "nothing else touched": _untouched,
    "pickle": _pickle,
}
"""Every check by name; each returns what it measured or raises."""
