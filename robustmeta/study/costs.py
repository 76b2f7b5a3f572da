"""What cells cost: images that they send forward through the backbone, and those that training sends backward."""

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from robustmeta.config.components import (
    Adaptation,
    Attack,
    Backbone,
    Certificate,
    EmbeddingAdaptation,
    Method,
)
from robustmeta.config.study import Learner
from robustmeta.core import Domain, Episodes
from robustmeta.shifts.shift import Shift
from robustmeta.study import draws, further, permute, poisoned
from robustmeta.study.centre import centre_passes
from robustmeta.study.evaluate import chunks
from robustmeta.study.pace import Pace
from robustmeta.study.shifts import chain_identity
from robustmeta.study.trials import choices


def embedded(adaptation: Adaptation, backbone: Backbone) -> bool:
    """Whether a whole domain is embedded once: features are fixed, and an image's depend on it alone."""
    return isinstance(adaptation, EmbeddingAdaptation) and backbone.alone()


def queried(episodes: Episodes, shift: Shift) -> NDArray[np.int64]:
    """The rows that the queries of a shift's tasks use, each once, in order."""
    return np.unique(episodes.query[: shift.episodes].numpy())


def measuring(adaptation: Adaptation, backbone: Backbone, episodes: Episodes) -> int:
    """Images sent forward to measure an adaptation on a clean domain."""
    if embedded(adaptation, backbone):
        return len(episodes.rows())
    tasks, shape = len(episodes), episodes.shape
    return adaptation.passes(shape, tasks) + tasks * adaptation.answer_passes(shape)


def training(
    method: Method, pace: Pace, backbone: Backbone, tried: Sequence[Episodes], domain: Domain
) -> tuple[int, int]:
    """Images that training sends forward, ``tried`` at every check, and those that it sends backward."""
    checking = sum(measuring(method.adaptation(), backbone, episodes) for episodes in tried)
    forward = pace.steps * method.passes() + pace.checks * checking + centre_passes(method, domain)
    return forward, pace.steps * method.gradient_passes()


def tuning(learner: Learner, backbone: Backbone, episodes: Episodes, seed: int) -> int:
    """Images sent forward to choose a learner's adaptation on source validation, and to see what must not matter."""
    if embedded(learner.adapt, backbone):
        return measuring(learner.adapt, backbone, episodes)
    passes = sum(measuring(adapt, backbone, episodes) for adapt in choices(learner))
    if permute.free(learner.method.traits):
        return passes
    return passes + measuring(learner.adapt, backbone, permute.permuted(episodes, learner.method.traits, seed))


def adapting(adaptation: Adaptation, backbone: Backbone, episodes: Episodes) -> int:
    """Images sent forward to adapt to the tasks of a unit, once for all of its points."""
    return 0 if embedded(adaptation, backbone) else adaptation.passes(episodes.shape, len(episodes))


def source_adapting(adaptation: Adaptation, episodes: Episodes, side: int, start: int, stop: int) -> int:
    """Images sent forward to adapt the learner that an attack is made through to a target's tasks, chunk by chunk.

    Only to chunks that begin in [start, stop): other points of the unit have paid for those before.
    """
    new = [rows for rows in chunks(episodes, side) if start <= rows.start < stop]
    return sum(adaptation.passes(episodes.shape, rows.stop - rows.start) for rows in new)


def point(
    shift: Shift, adaptation: Adaptation, backbone: Backbone, episodes: Episodes, some: int, source: Adaptation | None
) -> int:
    """Images that measuring a point sends forward, beside adapting to the tasks of its unit.

    ``some``: tasks that see the further attacks of honesty flags; ``source``: the adaptation of the learner that its
    attack is made through, if that is another.
    """
    tasks, shape = min(shift.episodes, len(episodes)), episodes.shape
    answers = tasks * adaptation.answer_passes(shape)
    if shift.poison:
        return poisoned.passes(adaptation, shift, shape, tasks, by_features=embedded(adaptation, backbone))[0]
    if shift.worst:
        return draws.passes(adaptation, shift, shape, tasks)
    if shift.sequence:
        one = len(queried(episodes, shift)) if embedded(adaptation, backbone) else answers
        return shift.sequence.frames * one
    if isinstance(shift.certificate, Certificate):
        return answers * shift.certificate.passes()
    if isinstance(shift.attack, Attack):
        call, attacked = adaptation.answer_passes(shape), tasks * (source or adaptation).answer_passes(shape)
        flags = further.passes(shift.attack, shape.way, call, tasks, some, transferred=source is not None)
        return attacked * shift.attack.passes(shape.way) + answers + flags
    return _views(shift) * len(episodes.rows()) if embedded(adaptation, backbone) else answers


def _views(shift: Shift) -> int:
    """How many views of a domain are embedded for a shift without frames: the clean one is that of the clean point."""
    if not (shift.support or shift.query):
        return 1
    return len({json.dumps(chain_identity(c), sort_keys=True) for c in (shift.support, shift.query)} - {"[]"})
