"""Recurrent controllers, with a memory beside them and without."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robustmeta.functional.causal import delayed
from robustmeta.functional.labelled import labelled
from robustmeta.functional.memory import Memory, access, empty
from robustmeta.heads.reading import Remembered, SequenceHead


class Recurrent(SequenceHead, ABC):
    """Reads an image and the label of the image before it at each step (Santoro et al. 2016, section 2)."""

    @abstractmethod
    def start(self, like: Float[Tensor, "N D"]) -> Remembered:
        """The state of N sequences that have not begun, of the kind of ``like``."""

    @abstractmethod
    def step(self, x: Float[Tensor, "N D+way"], state: Remembered) -> tuple[Tensor, Remembered]:
        """Logits (N, way) and the next state."""

    def guesses(self, z: Tensor, y: Tensor) -> Tensor:
        """Logits (T, L, way); the label of an image is shown with the next."""
        return self._run(z, delayed(self.shown(z, y), 1))[0]

    def read(self, z: Tensor, y: Tensor) -> Remembered:
        """The last label, which is still to be shown, and the state."""
        labels = self.shown(z, y)
        return labels[:, -1], *self._run(z, delayed(labels, 1))[1]

    def answer(self, z: Tensor, remembered: Remembered) -> Tensor:
        """One more step for each query, each from the same state."""
        label, *state = (r.repeat_interleave(z.shape[1], 0) for r in remembered)
        logits, _ = self.step(labelled(z.flatten(0, 1), label), tuple(state))
        return logits.unflatten(0, z.shape[:2])

    def _run(self, z: Tensor, late: Tensor) -> tuple[Tensor, Remembered]:
        state, out = self.start(z[:, 0]), []
        for x in labelled(z, late).unbind(1):
            logits, state = self.step(x, state)
            out.append(logits)
        return torch.stack(out, 1), state


def cell(inputs: int, units: int, length: int) -> nn.LSTMCell:
    """An LSTM whose units forget after 1 to ``length`` steps: biases b_f = log u, u ~ U(1, T − 1), and b_i = −b_f.

    Tallec and Ollivier 2018, Can Recurrent Neural Networks Warp Time?, section 2. With biases of zero, half of the
    state is lost at every step, and with it the slopes that would tell what to keep.
    """
    made = nn.LSTMCell(inputs, units)
    with torch.no_grad():
        keep = torch.empty(units).uniform_(1, max(2, length - 1)).log()
        made.bias_ih.zero_()
        made.bias_hh.copy_(torch.cat([-keep, keep, torch.zeros(2 * units)]))
    return made


class Lstm(Recurrent):
    """An LSTM of ``units`` on features of ``features`` numbers, and a linear layer on its output."""

    def __init__(self, features: int, way: int, units: int, length: int) -> None:
        super().__init__(way)
        self.cell = cell(features + way, units, length)
        self.out = nn.Linear(units, way)

    def start(self, like: Tensor) -> Remembered:
        """Zeros."""
        zeros = like.new_zeros(len(like), self.cell.hidden_size)
        return zeros, zeros

    def step(self, x: Tensor, state: Remembered) -> tuple[Tensor, Remembered]:
        """One step of the LSTM."""
        output, cell = self.cell(x, (state[0], state[1]))
        return self.out(output), (output, cell)


class Mann(Recurrent):
    """An LSTM that writes to and reads from a memory of ``slots`` slots of ``size`` numbers by ``heads`` heads.

    At each step it makes of its output h a key tanh(W h) and a gate σ(w·h) for each head; what the heads read, r, goes
    with h into the linear layer of the answer, and into the next step's input.
    """

    def __init__(
        self,
        features: int,
        way: int,
        units: int,
        length: int,
        *,
        slots: int,
        size: int,
        heads: int,
        decay: float,
        sharpness: float,
    ) -> None:
        super().__init__(way)
        self.slots, self.size, self.heads, self.decay, self.sharpness = slots, size, heads, decay, sharpness
        self.cell = cell(features + way + heads * size, units, length)
        self.keys = nn.Linear(units, heads * size)
        self.gates = nn.Linear(units, heads)
        self.out = nn.Linear(units + heads * size, way)

    def start(self, like: Tensor) -> Remembered:
        """Zeros: an empty memory that nothing has read."""
        zeros = like.new_zeros(len(like), self.cell.hidden_size)
        found = like.new_zeros(len(like), self.heads * self.size)
        return zeros, zeros, found, *empty(like, self.heads, self.slots, self.size)

    def step(self, x: Tensor, state: Remembered) -> tuple[Tensor, Remembered]:
        """One step of the LSTM, then one access to the memory."""
        output, cell, found, *memory = state
        output, cell = self.cell(torch.cat([x, found], -1), (output, cell))
        keys = self.keys(output).tanh().unflatten(-1, (self.heads, self.size))
        gates = self.gates(output).sigmoid()
        reads, after = access(Memory(*memory), keys, gates, self.decay, self.sharpness)
        found = reads.flatten(1)
        return self.out(torch.cat([output, found], -1)), (output, cell, found, *after)
