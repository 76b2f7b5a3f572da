"""Measure an adapted learner: adapt once to each task, score every view of the query, attack where asked."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robustmeta.config.components import Adaptation, Attack, Certificate, EmbeddingAdaptation, SupportAttack
from robustmeta.core import CellError, Classifier, Domain, Episodes, Head, to_bytes, to_float
from robustmeta.metrics.flips import flips
from robustmeta.metrics.scores import Columns, joined, records
from robustmeta.rng import Rng, combine
from robustmeta.shifts.shift import Shift
from robustmeta.store.cells import Content
from robustmeta.study import draws, judging, poisoned
from robustmeta.study.honesty import Inspection
from robustmeta.study.victims import Adapting, seeds

CHUNK_PIXELS = 1600 * 28**2
"""Pixels of the tasks that are worked on together; what an adaptation keeps of them grows with these."""
EMBED_PIXELS = 500 * 28**2
"""Pixels of a pass that embeds."""
FEW = 16
"""Images of such a pass, however large they are."""
EXAMPLES = 6
Advance = Callable[[int], None]


def chunks(episodes: Episodes, side: int) -> Iterator[slice]:
    """Slices of tasks that are worked on together; their size comes from the shape and the side of the images alone."""
    size = max(1, CHUNK_PIXELS // (side**2 * (episodes.support.shape[1] + episodes.query.shape[1])))
    for start in range(0, len(episodes), size):
        yield slice(start, min(start + size, len(episodes)))


def parts(rows: NDArray[np.int64], images: Tensor) -> Iterator[Tensor]:
    """Those of the rows of images that are embedded in one pass, one pass after the other."""
    size = max(FEW, EMBED_PIXELS // (images.shape[-1] * images.shape[-2]))
    for start in range(0, len(rows), size):
        yield torch.from_numpy(rows[start : start + size])


Tables = dict[tuple[object, int], tuple[Tensor, Tensor]]


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Features of a domain's used rows under one network; each view is embedded once.

    ``tables`` maps how features are made and which view (by its memory, kept alive here) to the features.
    """

    net: nn.Module
    adaptation: EmbeddingAdaptation
    rows: NDArray[np.int64]
    tables: Tables

    def of(self, view: Tensor, advance: Advance, rows: NDArray[np.int64] | None = None) -> Tensor:
        """Features (N, D) of a view; other rows than those that all episodes use, or the given ones, are zero."""
        name = (type(self.adaptation).embed, view.data_ptr())
        if name not in self.tables:
            self.tables[name] = (view, self._embed(view, advance, self.rows if rows is None else rows))
        return self.tables[name][1]

    def _embed(self, view: Tensor, advance: Advance, used: NDArray[np.int64]) -> Tensor:
        found: list[Tensor] = []
        with torch.no_grad():
            for rows in parts(used, view):
                found.append(self.adaptation.embed(self.net, to_float(view[rows])))
                advance(len(rows))
        table = torch.zeros(len(view), found[0].shape[1])
        table[torch.from_numpy(used)] = torch.cat(found)
        return table


@dataclass(frozen=True, eq=False)
class Point:
    """One point of a shift, with the query as it sees it: uint8 (N, C, H, W).

    Of a sequence, every frame of it, in which only ``rows`` are made.
    """

    shift: Shift
    query: Tensor
    frames: tuple[Tensor, ...] = ()
    rows: NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class Source:
    """Another learner that attacks are made through: its network and how it adapts."""

    net: nn.Module
    adaptation: Adaptation


@dataclass(frozen=True, eq=False)
class Bench:
    """What a unit is measured on: a network, how it adapts, the tasks and the support that it sees.

    ``episodes`` may have been through taskings: their supports are what the learner is given. ``flag_episodes``: how
    many of them see further attacks, for honesty flags. ``sources``: other learners by label, for attacks through them.
    """

    net: nn.Module
    adaptation: Adaptation
    domain: Domain
    episodes: Episodes
    support: Tensor
    seed: int
    embeddings: Embeddings | None = None
    flag_episodes: int = 0
    sources: Mapping[str, Source] = field(default_factory=dict[str, Source])


def evaluate(bench: Bench, points: list[Point], advance: Advance) -> list[Content]:
    """The records of each point. The learner adapts once to each task, whatever the number of points.

    Raises:
        CellError: logits are NaN or infinite; the message names the episode.
    """
    tables: list[list[Columns]] = [[] for _ in points]
    examples: list[Tensor] = []
    inspections = [_inspection(bench, point.shift) for point in points]
    poisoners = [_poisoner(bench, point.shift) for point in points]
    seconds, adapting, coupled = [0.0] * len(points), 0.0, False
    for rows in chunks(bench.episodes, bench.support.shape[-1]):
        part = bench.episodes[rows]
        clock = time.perf_counter()
        adapted = _adapt(bench, part, advance)
        adapting += time.perf_counter() - clock
        adapted = replace(adapted, sources=_sources(bench, part, [p.shift for p in points], rows.start, advance))
        coupled = coupled or adapted.classifier.coupled
        for i, point in enumerate(points):
            keep = min(len(part), point.shift.episodes - rows.start)
            if keep <= 0:
                continue
            clock = time.perf_counter()
            if poisoner := poisoners[i]:
                table, shown = _poison(bench, part[:keep], point, poisoner, advance)
            else:
                table, shown = _measure(bench, adapted, part[:keep], point, inspections[i], advance)
            if len(examples) == i:
                examples.append(shown)
            tables[i].append(table)
            seconds[i] += time.perf_counter() - clock
    shared = {"adapt_seconds_per_task": adapting / len(bench.episodes), "finished": time.time()}
    return [
        Content(
            {"queries": joined(tables[i])},
            {"examples": {"images": examples[i]}},
            {"coupled": coupled, "notes": list(point.shift.notes)}
            | judging.stored(inspections[i])
            | poisoned.stored(poisoners[i]),
            {"seconds": seconds[i], **judging.costs(inspections[i]), **poisoned.costs(poisoners[i]), **shared},
        )
        for i, point in enumerate(points)
    ]


@dataclass(frozen=True, eq=False)
class Adapted:
    """A learner adapted to a chunk of tasks; ``head`` is set where its features are fixed.

    ``sources``: other learners that some of the tasks are attacked through.
    """

    classifier: Classifier
    head: Head | None
    sources: Mapping[str, Classifier] = field(default_factory=dict[str, Classifier])


def _adapt(bench: Bench, part: Episodes, advance: Advance) -> Adapted:
    rng = Rng(bench.seed, ("adapt",), part.number)
    if bench.embeddings is None:
        x = to_float(bench.support[part.support])
        classifier = bench.adaptation.adapt(bench.net, x, part.support_y, part.way, rng)
        advance(bench.adaptation.passes(part.shape, len(part)))
        return Adapted(classifier, None)
    adaptation = bench.embeddings.adaptation
    z = bench.embeddings.of(bench.support, advance)[part.support]
    head = adaptation.fit(bench.net, z, part.support_y, part.way, rng)
    return Adapted(adaptation.classifier(bench.net, head), head)


def _sources(bench: Bench, part: Episodes, shifts: list[Shift], start: int, advance: Advance) -> dict[str, Classifier]:
    """The learners that a chunk's attacks are made through, adapted to the supports of all of it, as when measured."""
    found: dict[str, Classifier] = {}
    for label, source in bench.sources.items():
        if any(s.through == label and s.episodes > start for s in shifts):
            x, rng = to_float(bench.support[part.support]), Rng(bench.seed, ("adapt",), part.number)
            found[label] = source.adaptation.adapt(source.net, x, part.support_y, part.way, rng)
            advance(source.adaptation.passes(part.shape, len(part)))
    return found


def _measure(
    bench: Bench, adapted: Adapted, episodes: Episodes, point: Point, inspection: Inspection | None, advance: Advance
) -> tuple[Columns, Tensor]:
    """The records of a point, and some of the images of its first episode as the learner saw them."""
    shift = point.shift
    if inspection:
        tasks = slice(0, len(episodes))
        source = adapted.sources[shift.through].select(tasks) if shift.through in bench.sources else None
        x, logits, more = _attack(bench, point, episodes, adapted.classifier.select(tasks), inspection, source)
        attacked = bench.sources[shift.through].adaptation if source else bench.adaptation
        asked = inspection.attack.passes(episodes.way) * _answering(attacked, episodes)
        advance(asked + _answering(bench.adaptation, episodes) + more)
        return _records(logits, episodes), to_bytes(x[0, :EXAMPLES])
    if isinstance(shift.certificate, Certificate):
        return _certify(bench, adapted, episodes, point, shift.certificate, advance)
    if shift.worst:
        return _drawn(bench, adapted, episodes, shift, advance)
    if shift.sequence:
        logits = (_logits(bench, adapted, episodes, view, advance, point.rows) for view in point.frames)
        predicted = [frame.argmax(-1).flatten() for frame in logits]
        changed = flips(torch.stack(predicted).numpy(), shift.sequence.sequence.reference)
        first = episodes.query[0, 0]
        return {"flip": changed}, torch.stack([view[first] for view in _spaced(point.frames)])
    seen, rows = (bench.support, episodes.support) if shift.place == "support" else (point.query, episodes.query)
    return _records(_logits(bench, adapted, episodes, point.query, advance), episodes), seen[rows[0, :EXAMPLES]]


def _drawn(
    bench: Bench, adapted: Adapted, episodes: Episodes, shift: Shift, advance: Advance
) -> tuple[Columns, Tensor]:
    """The records of clean queries after adapting to the worst clean supports, and images of the first of these."""
    victim = Adapting(bench.net, bench.adaptation, episodes.way, Rng(bench.seed, ("adapt",), episodes.number))
    rows, images = draws.supports(bench.domain, episodes, int(shift.value), bench.seed), bench.domain.images
    own = adapted.classifier.select(slice(0, len(episodes)))
    table, first = draws.measure(
        victim, own, images, episodes, rows, lambda logits: _records(logits, episodes), shift.worst, advance
    )
    return table, images[first[:EXAMPLES]]


def _poisoner(bench: Bench, shift: Shift) -> poisoned.Poisoner | None:
    if not shift.poison or not isinstance(shift.poison.attack, SupportAttack):
        return None
    training = tuple(name or type(m).__name__ for name, m in bench.net.named_modules() if m.training)
    return poisoned.Poisoner(bench.net, shift.poison.attack, shift.value, training)


def _poison(
    bench: Bench, episodes: Episodes, point: Point, poisoner: poisoned.Poisoner, advance: Advance
) -> tuple[Columns, Tensor]:
    """The records of clean queries after adapting to attacked supports, and some images of the first of these."""
    stage = point.shift.poison
    rows, seed_y = seeds(bench.domain, episodes, stage.seed if stage else 0, bench.seed)
    keys = combine(episodes.number[:, None], bench.domain.ids[episodes.support.numpy()])
    # without the attack's name, so that all change the same images
    rng = Rng(bench.seed, ("support attack",), keys)
    by_features, adapt = bench.embeddings is not None, Rng(bench.seed, ("adapt",), episodes.number)
    victim = Adapting(bench.net, bench.adaptation, episodes.way, adapt, by_features)
    support = to_float(bench.support[episodes.support]), episodes.support_y
    x, y = poisoner.run(victim, support, (to_float(bench.domain.images[rows]), seed_y), rng)
    with torch.no_grad():
        logits = victim(x, y)(to_float(point.query[episodes.query]))
    every, flags = poisoned.passes(
        bench.adaptation, point.shift, episodes.shape, len(episodes), by_features=by_features
    )
    poisoner.spent += flags
    advance(every)
    return _records(logits, episodes), to_bytes(x[0, :EXAMPLES])


def _certify(
    bench: Bench, adapted: Adapted, episodes: Episodes, point: Point, certificate: Certificate, advance: Advance
) -> tuple[Columns, Tensor]:
    """What is certified of each query, and some of the first episode under noise, cut to [0, 1]."""
    sigma, x = point.shift.value, to_float(point.query[episodes.query])
    rng = Rng(bench.seed, ("certificate", certificate.name), _keys(bench, episodes))
    found = certificate.certify(adapted.classifier.select(slice(0, len(episodes))), x, sigma, rng)
    advance(_answering(bench.adaptation, episodes) * certificate.passes())
    table = {
        "predicted": found.predicted.ravel().astype(np.int16),
        "label": episodes.query_y.flatten().numpy().astype(np.int16),
        "certified": found.answer.ravel().astype(np.int16),
        "radius": found.radius.ravel(),
    }
    first = certificate.noisy(x[:1], sigma, rng.at(slice(0, 1)))
    return table, to_bytes(first[0, :EXAMPLES].clamp(0, 1))


def _spaced(frames: tuple[Tensor, ...]) -> list[Tensor]:
    """Some of the frames, from the first to the last."""
    return [frames[round(i * (len(frames) - 1) / (EXAMPLES - 1))] for i in range(EXAMPLES)]


def _logits(
    bench: Bench,
    adapted: Adapted,
    episodes: Episodes,
    view: Tensor,
    advance: Advance,
    rows: NDArray[np.int64] | None = None,
) -> Tensor:
    """Logits (T, Q, way) of the queries as a view shows them, of which only ``rows`` may be made.

    Raises:
        CellError: they are not finite.
    """
    tasks = slice(0, len(episodes))
    with torch.no_grad():
        if adapted.head and bench.embeddings:
            logits = adapted.head.select(tasks)(bench.embeddings.of(view, advance, rows)[episodes.query])
        else:
            logits = adapted.classifier.select(tasks)(to_float(view[episodes.query]))
            advance(_answering(bench.adaptation, episodes))
    return _finite(logits, episodes)


def _answering(adaptation: Adaptation, episodes: Episodes) -> int:
    """Images that one call on the queries of all tasks sends forward."""
    return len(episodes) * adaptation.answer_passes(episodes.shape)


def _inspection(bench: Bench, shift: Shift) -> Inspection | None:
    if not isinstance(shift.attack, Attack):
        return None
    call = bench.adaptation.answer_passes(bench.episodes.shape)
    return Inspection(bench.net, shift.attack, shift.value, bench.flag_episodes, call)


def _attack(
    bench: Bench,
    point: Point,
    episodes: Episodes,
    classifier: Classifier,
    inspection: Inspection,
    source: Classifier | None,
) -> tuple[Tensor, Tensor, int]:
    """Attacked queries, their logits, and the images that honesty flags have sent forward."""
    x = to_float(point.query[episodes.query])
    rng = Rng(bench.seed, ("attack", inspection.attack.name), _keys(bench, episodes))
    return inspection.run(classifier, x, episodes.query_y, rng, source)


def _keys(bench: Bench, episodes: Episodes) -> NDArray[np.uint64]:
    """A key a query (T, Q), of its episode and its image."""
    return combine(episodes.number[:, None], bench.domain.ids[episodes.query.numpy()])


def _finite(logits: Tensor, episodes: Episodes) -> Tensor:
    bad = ~torch.isfinite(logits).flatten(1).all(1)
    if bad.any():
        number = int(episodes.number[int(bad.nonzero()[0, 0])])
        raise CellError(f"the logits of episode {number} are not finite; the adaptation diverged")
    return logits


def _records(logits: Tensor, episodes: Episodes) -> Columns:
    return records(_finite(logits, episodes).flatten(0, 1), episodes.query_y.flatten())
