"""A study in small, to see that it runs before it is run."""

from robustmeta.config.certifying import CertificateShift
from robustmeta.config.components import Source
from robustmeta.config.drawing import DrawShift
from robustmeta.config.entry import ShiftEntry
from robustmeta.config.find import build
from robustmeta.config.poisoning import SupportAttackShift
from robustmeta.config.study import Budget, Learner, Placed, Study
from robustmeta.core import TaskShape

DRAWS = 3
"""The most supports that a task is measured on."""
STEPS = 2
"""Training steps that the hungriest learner takes."""
FACES = ("stix",)
"""The face of the fewest letters, for large ones take long to draw: 120 to train, still enough for 60-way tasks."""


def smoke(study: Study) -> Study:
    """The same learners, backbone, canvas, task shapes and shifts on drawn glyphs, for a few steps and tasks.

    The data of the study is not read, and no number means anything: it shows that every part fits the others.
    """
    everyone = (*study.learners, *study.baselines)
    diets = [learner.method.diet() for learner in everyone]
    evaluations = [study.evaluation.at(target) for target in study.targets]
    shapes = [TaskShape(d.way, d.shot, d.query) for d in (*diets, study.validation, *evaluations)]
    seeds = max((entry.seed for entry in study.shifts if isinstance(entry, SupportAttackShift)), default=0)
    others = int(any(isinstance(entry, DrawShift) for entry in study.shifts))
    drawings = max(s.shot + s.query for s in shapes) + max(seeds, others)

    def drawn(place: Placed, split: str) -> Placed:
        fields = {"name": "glyphs", "faces": FACES, "split": split, "drawings": drawings}
        glyphs = build("domains", Source, fields)
        return place.model_copy(update={"source": glyphs})

    def plain(learner: Learner) -> Learner:
        return learner.model_copy(update={"tune": {k: values[:1] for k, values in learner.tune.items()}})

    def quick(entry: ShiftEntry) -> ShiftEntry:
        dear = isinstance(entry, CertificateShift | SupportAttackShift | DrawShift)
        entry = entry.small(DRAWS) if isinstance(entry, DrawShift) else entry
        return entry.model_copy(update={"episodes": 2}) if dear else entry

    return study.model_copy(
        update={
            "name": f"{study.name}-smoke",
            "seeds": study.seeds[:1],
            "sources": tuple(drawn(s, "train") for s in study.sources[:1]),
            "targets": tuple(drawn(t, "test") for t in study.targets),
            "validation": study.validation.model_copy(update={"split": "val", "episodes": 4, "checks": 1}),
            "evaluation": study.evaluation.model_copy(update={"episodes": 8}),
            "shifts": tuple(quick(entry) for entry in study.shifts),
            "flag_episodes": min(study.flag_episodes, 2),
            "budget": Budget(images=STEPS * max(d.images for d in diets)),
            "learners": tuple(plain(one) for one in study.learners),
            "baselines": tuple(plain(one) for one in study.baselines),
        }
    )
