"""Learning by a recurrent network alone: what a memory is to be compared with."""

from typing import cast

from pydantic import Field
from torch import nn

from robustmeta.config.components import component
from robustmeta.heads.recurrent import Lstm
from robustmeta.methods.sequence import SequenceLearner


@component("lstm", version=2, paper="Hochreiter, Younger and Conwell 2001, Learning to Learn Using Gradient Descent")
class LstmLearner(SequenceLearner):
    """``mann`` without its memory: the same controller of ``units``, the same sequences, loss and outer ``rate``.

    What mann gains over it, its memory has brought.
    """

    units: int = Field(default=200, ge=1)

    def head(self, body: nn.Module) -> Lstm:
        """The controller."""
        return Lstm(cast("int", body.features), self.train.way, self.units, self.length)
