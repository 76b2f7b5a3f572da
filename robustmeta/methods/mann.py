"""Memory-augmented neural networks."""

from typing import Self, cast

from pydantic import Field, model_validator
from torch import nn

from robustmeta.config.components import component
from robustmeta.heads.recurrent import Mann
from robustmeta.methods.sequence import SequenceLearner


@component(
    "mann",
    version=2,
    paper="Santoro et al. 2016, Meta-Learning with Memory-Augmented Neural Networks, sections 2 and 3",
)
class MannLearner(SequenceLearner):
    """Read images one by one, each with the label of the one before, and guess; what was seen is kept in a memory.

    Trained on sequences of all images of a task in random order, with the mean loss over all steps. The controller
    reads the backbone's features, standardised, beside labels as long as they are, where its authors' reads pixels; its
    units start with forgetting over 1 step to a whole sequence of training. Fields: units, of the controller, an LSTM;
    slots and size, of the memory; heads, that read it and write to it; decay, of the usage of slots (γ); sharpness, of
    reading, which cosines are multiplied by (β of Graves et al. 2014, Neural Turing Machines, eq. 5; the paper has
    none: with 1, of 128 slots the one that fits a key exactly is read with a weight of 2%); rate, of the outer Adam,
    which falls to zero along a cosine (the authors' RMSProp has 1e-4 and needs far more tasks).
    """

    units: int = Field(default=200, ge=1)
    slots: int = Field(default=128, ge=1)
    size: int = Field(default=40, ge=1)
    heads: int = Field(default=4, ge=1)
    decay: float = Field(default=0.95, ge=0, lt=1)
    sharpness: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _room(self) -> Self:
        if self.heads > self.slots:
            raise ValueError(f"every head needs a slot of its own: got {self.heads} heads and {self.slots} slots")
        return self

    def head(self, body: nn.Module) -> Mann:
        """The controller with its memory."""
        features = cast("int", body.features)
        memory = {"slots": self.slots, "size": self.size, "heads": self.heads}
        return Mann(
            features, self.train.way, self.units, self.length, **memory, decay=self.decay, sharpness=self.sharpness
        )
