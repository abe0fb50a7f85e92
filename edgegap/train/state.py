"""Where a training is after a whole number of epochs: all that it takes to go on."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from edgegap.train.history import Epoch, best_epoch
from edgegap.train.settings import FitSettings

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class State:
    """A training after some epochs. Tensors are copies on the CPU.

    Args:
        history: every epoch so far.
        network: the network's state dict.
        optimizer: the optimizer's; None before the first epoch.
        kept: the state dict to use: the best epoch's where training may stop early, else `network`.
    """

    history: list[Epoch]
    network: dict[str, torch.Tensor]
    optimizer: dict[str, Any] | None
    kept: dict[str, torch.Tensor]

    @classmethod
    def first(cls, network: torch.nn.Module) -> State:
        """The state before the first epoch."""
        weights = _weights(network)
        return cls([], weights, None, weights)

    def after(
        self, epoch: Epoch, network: torch.nn.Module, optimizer: torch.optim.Optimizer, *, keep_best: bool
    ) -> State:
        """The state after one more epoch."""
        history = [*self.history, epoch]
        weights = _weights(network)
        better = not keep_best or best_epoch(history) is epoch
        return State(history, weights, deepcopy(optimizer.state_dict()), weights if better else self.kept)

    def is_finished(self, settings: FitSettings) -> bool:
        """Whether all epochs are done, or the validation accuracy has not risen for too many of them."""
        done = len(self.history)
        if settings.patience is not None and done and done - best_epoch(self.history).epoch >= settings.patience:
            return True
        return done >= settings.epochs

    def to_record(self) -> dict[str, Any]:
        """What a checkpoint keeps beside `kept`."""
        return {
            "history": [asdict(epoch) for epoch in self.history],
            "network": None if self.network is self.kept else self.network,
            "optimizer": self.optimizer,
        }

    @classmethod
    def from_record(cls, record: dict[str, Any], kept: dict[str, torch.Tensor]) -> State:
        """Read what `to_record` wrote."""
        history = [Epoch(**epoch) for epoch in record["history"]]
        return cls(history, record["network"] or kept, record["optimizer"], kept)


def _weights(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {key: value.detach().cpu().clone() for key, value in network.state_dict().items()}
