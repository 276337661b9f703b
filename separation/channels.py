"""Which channels of a mixture a model hears together: mono, stereo, pairs of surround, recorder tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audio_ml.audio import Samples
from audio_ml.errors import InvalidInput, InvalidOption
from audio_ml.layouts import PAIRS, Layout, find_layout, parse_layout
from separation.options import ChannelPolicy, SeparationOptions

MAX_CHANNELS = 64
LEFT, RIGHT = ({pair[side] for pair in PAIRS} for side in (0, 1))
NEEDED = {"centre-only": "centre channel", "downmix": "loudspeakers, only tracks"}
HALF_POWER = 0.5**0.5  # of the centre and the surrounds in a downmix, ITU-R BS.775-3, annex 4


@dataclass(frozen=True, eq=False)
class ChannelPlan:
    """How a mixture of a `layout` is brought to a model: `lanes` of one or two channels that it hears at a time.

    The channels of no lane are `passed`: they go whole to the stem that takes the remainder. With a
    `downmix` [2, n_channels] the model hears only that, and its stems share out the mixture's channels.
    """

    policy: str
    layout: Layout
    lanes: tuple[tuple[int, ...], ...]
    passed: tuple[int, ...] = ()
    downmix: Samples | None = None

    @property
    def n_channels(self) -> int:
        return len(self.layout.speakers)

    @property
    def n_heard(self) -> int:
        """The number of channels that estimates have: the mixture's, or those of the downmix."""
        return self.n_channels if self.downmix is None else 2

    def hear(self, block: Samples, n_model_channels: int) -> Samples:
        """Returns what a model hears [lanes * n_model_channels, n] of a block [n_channels, n]."""
        heard = block if self.downmix is None else self.downmix @ block
        if self.lanes == (tuple(range(len(heard))),) and len(heard) == n_model_channels:
            return heard
        return np.concatenate([_as_channels(heard[list(lane)], n_model_channels) for lane in self.lanes])

    def place(self, estimates: Samples) -> Samples:
        """Returns estimates [..., lanes * n_model_channels, n] by channel [..., n_heard, n], silent where passed."""
        if self.lanes == (tuple(range(self.n_heard)),) and estimates.shape[-2] == self.n_heard:
            return estimates
        n_model_channels = estimates.shape[-2] // len(self.lanes)
        placed = np.zeros((*estimates.shape[:-2], self.n_heard, estimates.shape[-1]), np.float32)
        for index, lane in enumerate(self.lanes):
            of_lane = estimates[..., index * n_model_channels : (index + 1) * n_model_channels, :]
            placed[..., list(lane), :] = _as_channels(of_lane, len(lane))
        return placed


def plan_channels(
    options: SeparationOptions,
    n_channels: int,
    n_model_channels: int,
    mask: int | None = None,
    track_names: Sequence[str] = (),
) -> ChannelPlan:
    """Returns the plan for a mixture: by its layout, unless the options override that.

    Raises:
        InvalidOption: for a layout of another number of channels, or a policy for which loudspeakers are missing.
        InvalidInput: for more than `MAX_CHANNELS`.
    """
    if n_channels > MAX_CHANNELS:
        raise InvalidInput(f"The mixture has {n_channels} channels; {MAX_CHANNELS} are the most that can be separated.")
    layout = parse_layout(options.layout) if options.layout else find_layout(n_channels, mask, track_names)
    if len(layout.speakers) != n_channels:
        named = len(layout.speakers)
        raise InvalidOption(f"Option 'layout' names {named} loudspeakers, but the mixture has {n_channels} channels.")
    policy = _policy(options.channels, layout)
    if policy == "downmix":
        _check_residual_of_downmix(options)
        return ChannelPlan(
            policy, layout, _cut([(0, 1)], n_model_channels), _channels_of(layout, "LFE"), _downmix(layout)
        )
    lanes = _cut(_lanes(policy, layout), n_model_channels)
    if not lanes:
        raise InvalidOption("Option 'layout' names nothing but an LFE, which is not separated.")
    separated = {channel for lane in lanes for channel in lane}
    passed = tuple(channel for channel in range(n_channels) if channel not in separated)
    return ChannelPlan(policy, layout, lanes, passed)


def _lanes(policy: str, layout: Layout) -> list[tuple[int, ...]]:
    if policy == "centre-only":
        return [_channels_of(layout, "FC")]
    lanes: list[tuple[int, ...]] = [*layout.pairs] if policy in ("per-pair", "stereo") else []
    paired = {channel for pair in lanes for channel in pair}
    return lanes + [
        (channel,) for channel, name in enumerate(layout.speakers) if channel not in paired and name != "LFE"
    ]


def _cut(lanes: list[tuple[int, ...]], n_model_channels: int) -> tuple[tuple[int, ...], ...]:
    """Orders lanes by their first channel; a model of one channel hears one at a time."""
    if n_model_channels == 1:
        lanes = [(channel,) for lane in lanes for channel in lane]
    return tuple(sorted(lanes))


def _check_residual_of_downmix(options: SeparationOptions) -> None:
    if options.residual_policy.kind not in ("project", "into"):
        raise InvalidOption(
            "Option 'channels' cannot be 'downmix' here: it shares out the whole mixture, so that only the residual "
            "policies 'project' and 'into STEM' have a meaning."
        )


def _policy(asked: ChannelPolicy, layout: Layout) -> str:
    """Returns the policy to use: for mono and stereo there is nothing to choose but each channel on its own."""
    n_channels = len(layout.speakers)
    missing = {"centre-only": layout.where("FC") is None, "downmix": not any(layout.speakers)}
    if missing.get(asked):
        raise InvalidOption(
            f"Option 'channels' cannot be '{asked}': the file has no {NEEDED[asked]}; if that is wrong, name its "
            "loudspeakers with 'layout'."
        )
    if n_channels == 1:
        return "mono"
    if asked in ("auto", "per-pair") and not any(layout.speakers):
        return "each"
    if asked == "auto":
        return "stereo" if n_channels == 2 and layout.pairs else "per-pair"
    return asked


def _channels_of(layout: Layout, speaker: str) -> tuple[int, ...]:
    channel = layout.where(speaker)
    return () if channel is None else (channel,)


def _downmix(layout: Layout) -> Samples:
    """Returns the matrix [2, channels] of a stereo downmix without the LFE."""
    matrix = np.zeros((2, len(layout.speakers)), np.float32)
    for channel, speaker in enumerate(layout.speakers):
        level = 1.0 if speaker in ("FL", "FR") else HALF_POWER
        if speaker != "LFE":
            matrix[0, channel] = 0.0 if speaker in RIGHT else level
            matrix[1, channel] = 0.0 if speaker in LEFT else level
    return matrix


def _as_channels(block: Samples, n_channels: int) -> Samples:
    """Repeats mono [..., 1, n] to the channels wanted, or takes the mean of stereo to mono."""
    if block.shape[-2] == n_channels:
        return block
    if n_channels == 1:
        mean: Samples = block.mean(axis=-2, keepdims=True)
        return mean
    return np.repeat(block, n_channels, axis=-2)
