"""The networks themselves, in torch; imported only where one is trained or asked."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, pad
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class ConvolutionalNetwork(nn.Module):
    """Convolutions over a picture of frames x features, then the mean over the frames.

    Parameters
    ----------
    n_features, n_classes : int
        Values per frame, and logits in the result.
    channels : sequence of int
        Channels of each block of a 3 x 3 convolution, a rectifier and a halving of both axes.
    dropout : float
        Share of the last layer's inputs that are left out in training.
    generator : torch.Generator or None
        Draws them.
    """

    def __init__(
        self,
        n_features: int,
        n_classes: int,
        channels: Sequence[int],
        dropout: float,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(n_in, n_out, kernel_size=3, padding=1)
            for n_in, n_out in zip((1, *channels), channels, strict=False)
        )
        for _ in channels:
            n_features = -(-n_features // 2)
        self.dropout = _Dropout(dropout, generator)
        self.output = nn.Linear(channels[-1] * n_features, n_classes)

    def forward(self, frames: Tensor, n_frames: Tensor) -> Tensor:
        """Return the logits, (n_clips, n_classes), of padded trajectories."""
        picture = frames[:, None]
        for convolution in self.convolutions:
            present = _present(n_frames, picture.shape[2])[:, None, :, None]
            # Padding is made zero again, so that a clip's logits do not depend on its amount.
            picture = torch.relu(convolution(picture)) * present
            picture = max_pool2d(picture, 2, ceil_mode=True)
            n_frames = -(-n_frames // 2)
        mean = picture.sum(dim=2) / n_frames[:, None, None]
        logits: Tensor = self.output(self.dropout(mean.flatten(1)))
        return logits


class RecurrentNetwork(nn.Module):
    """A recurrent layer in both directions, then the mean over its steps.

    Parameters
    ----------
    n_features, n_classes : int
        Values per frame, and logits in the result.
    cell : {"gru", "lstm"}
        Kind of the layer's cells.
    hidden_size : int
        Cells in each direction.
    frames_per_step : int
        Frames that are joined to a step.
    dropout : float
        Share of the last layer's inputs that are left out in training.
    generator : torch.Generator or None
        Draws them.
    """

    def __init__(
        self,
        n_features: int,
        n_classes: int,
        cell: str,
        hidden_size: int,
        frames_per_step: int,
        dropout: float,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        layer = {"gru": nn.GRU, "lstm": nn.LSTM}[cell]
        self.recurrent = layer(
            n_features * frames_per_step, hidden_size, batch_first=True, bidirectional=True
        )
        self.frames_per_step = frames_per_step
        self.dropout = _Dropout(dropout, generator)
        self.output = nn.Linear(2 * hidden_size, n_classes)

    def forward(self, frames: Tensor, n_frames: Tensor) -> Tensor:
        """Return the logits, (n_clips, n_classes), of padded trajectories."""
        steps, n_steps = _join_frames(frames, n_frames, self.frames_per_step)
        packed = pack_padded_sequence(steps, n_steps.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.recurrent(packed)[0], batch_first=True)
        mean = states.sum(dim=1) / n_steps[:, None]
        logits: Tensor = self.output(self.dropout(mean))
        return logits


class WeightedCrossEntropy(nn.CrossEntropyLoss):
    """Cross-entropy times the class weight, averaged over clips.

    torch's own average divides by the weights in the batch, so that a batch of light classes
    alone would count as much as any other.
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__(weight, reduction="none")

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss of a batch."""
        return super().forward(logits, target).mean()


class _Dropout(nn.Module):
    """Dropout that draws from its own generator, where torch's draws from one for all threads."""

    def __init__(self, rate: float, generator: torch.Generator | None) -> None:
        super().__init__()
        self.rate = rate
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        kept = torch.rand(x.shape, generator=self.generator) >= self.rate
        return x * kept.to(x.device) / (1 - self.rate)


def _present(n_frames: Tensor, length: int) -> Tensor:
    """Return which steps, (n_clips, length), are frames rather than padding."""
    return torch.arange(length, device=n_frames.device) < n_frames[:, None]


def _join_frames(frames: Tensor, n_frames: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Put every `size` frames of zero-padded trajectories side by side, as one step."""
    frames = pad(frames, (0, 0, 0, -frames.shape[1] % size))
    steps = frames.reshape(len(frames), -1, size * frames.shape[2])
    return steps, -(-n_frames // size)
