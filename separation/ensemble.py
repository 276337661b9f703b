"""Several models heard together: `spleeter-2stems + htdemucs`, or a row that names its members."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field, create_model

from audio_ml import catalogue
from audio_ml.audio import Samples
from audio_ml.catalogue import Licence, Member, ModelSpec
from audio_ml.chunks import in_step, overlap_add
from audio_ml.errors import InvalidOption, UnknownModel, did_you_mean
from audio_ml.options import parse
from audio_ml.progress import Progress
from separation.channels import ChannelPlan
from separation.estimation import Estimation, SeparationEngine
from separation.options import SeparationOptions
from separation.spectra import Spectra

SEPARATOR = "+"  # between the names of models
REST = "accompaniment"  # what is left beside the stems that all members have; no_accompaniment beside that one

Rule = Literal["mean", "minimum", "maximum", "median"]


class EnsembleOptions(SeparationOptions):
    """Options of every ensemble; those of its members stand beside them."""

    combine: Rule = Field(
        "mean",
        description="How an ensemble's estimates become one: the 'mean' of the waveforms, or 'minimum', 'maximum' or "
        "'median' of their spectra.",
        json_schema_extra={"advanced": True},
    )
    weights: tuple[str, ...] = Field(
        (),
        description="How much the members of an ensemble count in the mean, each as MODEL=WEIGHT or MODEL.STEM=WEIGHT.",
        json_schema_extra={"advanced": True},
    )


def find_model(name: str) -> ModelSpec:
    """Returns the row of that name, or the ensemble of names joined by +.

    Raises:
        UnknownModel: with the closest name.
        InvalidOption: when the models cannot be heard together.

    >>> find_model("spleeter-2stems").outputs
    ('vocals', 'accompaniment')
    """
    try:
        return catalogue.find("separation", name)  # the path of a user's own may have a + in it
    except UnknownModel:
        if SEPARATOR not in name:
            raise
    members = tuple(Member(catalogue.find("separation", part.strip())) for part in name.split(SEPARATOR))
    return ensemble(f" {SEPARATOR} ".join(member.spec.name for member in members), members)


def ensemble(name: str, members: Sequence[Member], summary: str = "", aliases: tuple[str, ...] = ()) -> ModelSpec:
    """Returns the row of an ensemble: it makes the stems that all members have, and the rest as one.

    Raises:
        InvalidOption: when a model comes twice, or the models share no stem or not their number of channels.
    """
    specs = [member.spec for member in members]
    if len({spec.name for spec in specs}) < len(specs):
        raise InvalidOption(f"The ensemble '{name}' names a model twice; 'weights' makes one count for more.")
    if any(spec.members for spec in specs):
        raise InvalidOption(f"The ensemble '{name}' has a member that is an ensemble itself; name its members instead.")
    if len({spec.n_channels for spec in specs}) > 1:
        raise InvalidOption(f"The models of '{name}' hear different numbers of channels and cannot be combined.")
    parts = " and ".join(spec.name for spec in specs)
    return ModelSpec(
        name=name,
        aliases=aliases,
        task="separation",
        summary=summary or f"{parts} together.",
        licence=_licence(specs),
        files=(),
        outputs=_outputs(name, specs),
        sample_rate=max(spec.sample_rate for spec in specs),
        n_channels=specs[0].n_channels,
        memory_bytes=sum(spec.memory_bytes for spec in specs),
        verified=min(spec.verified for spec in specs),
        members=tuple(members),
        options=_options(specs),
    )


def _outputs(name: str, specs: Sequence[ModelSpec]) -> tuple[str, ...]:
    first = specs[0].outputs
    if all(set(spec.outputs) == set(first) for spec in specs):
        return first
    shared = tuple(stem for stem in first if all(stem in spec.outputs for spec in specs))
    if not shared:
        raise InvalidOption(f"The models of '{name}' have no stem in common.")
    return (*shared, REST if REST not in shared else f"no_{REST}")


def _licence(specs: Sequence[ModelSpec]) -> Licence:
    allowed = {spec.licence.commercial for spec in specs}
    commercial = False if False in allowed else None if None in allowed else True
    names = dict.fromkeys(spec.licence.name for spec in specs)
    return Licence(" + ".join(names), commercial, "Each member's own terms hold.")


def _options(specs: Sequence[ModelSpec]) -> type[EnsembleOptions]:
    """Returns a model with the options of all members; of those that share a name, as the first has it."""
    fields: dict[str, Any] = {}
    for spec in specs:
        for name, field in spec.options.model_fields.items():
            if name not in EnsembleOptions.model_fields:
                fields.setdefault(name, (field.annotation, field))
    return create_model("EnsembleOptions", __base__=EnsembleOptions, __doc__=EnsembleOptions.__doc__, **fields)


def member_options(member: ModelSpec, options: EnsembleOptions) -> SeparationOptions:
    """Returns a member's own options: those of the ensemble's that it knows and that were given."""
    given = options.model_dump(exclude_unset=True)
    # The residual is shared once, by the ensemble; which stems a member makes is told to it otherwise.
    own = {name: value for name, value in given.items() if name in member.options.model_fields}
    for name in ("stems", "two_stems", "mix", "gain", "residual"):
        own.pop(name, None)
    chosen = parse(member.options, own)
    assert isinstance(chosen, SeparationOptions)
    return chosen


class Blend:
    """Runs the members of an ensemble side by side and yields one estimate of each stem, as `Estimation` does.

    Raises:
        InvalidOption: for weights that name no member or stem, or leave a stem without any.
    """

    def __init__(
        self,
        spec: ModelSpec,
        engines: Sequence[SeparationEngine],
        options: EnsembleOptions,
        plan: ChannelPlan,
        stems: Sequence[str],
        sample_rate: int,
        progress: Progress,
    ) -> None:
        self._rule, self._sample_rate = options.combine, sample_rate
        self._estimations: list[Estimation] = []
        self._mixings: list[Samples] = []  # [stems, the member's stems] each
        weights = find_weights(spec, options)[:, [spec.outputs.index(stem) for stem in stems]]
        if self._rule != "mean":
            weights = (weights > 0).astype(np.float32)
        for member, engine, counts in zip(spec.members, engines, weights, strict=True):
            mixing = np.stack([_holds(stem, spec, member.spec) for stem in stems]) * counts[:, None]
            used = mixing.any(axis=0)
            if used.any():
                own = [stem for stem, is_used in zip(member.spec.outputs, used, strict=True) if is_used]
                chosen = member_options(member.spec, options)
                estimation = Estimation(member.spec, engine, chosen, plan, own, sample_rate, progress)
                self._estimations.append(estimation)
                self._mixings.append(mixing[:, used].astype(np.float32))

    @property
    def wants_scales(self) -> bool:
        return any(estimation.wants_scales for estimation in self._estimations)

    def measure(self, blocks: Iterable[Samples]) -> None:
        """The first pass, for the members that want one."""
        first, *others = [estimation for estimation in self._estimations if estimation.wants_scales]
        first.measure(blocks)
        for other in others:
            other.scales = first.scales  # they hear the same channels

    def run(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """Yields the estimates [stems, heard channels, n]."""
        inputs = itertools.tee(blocks, len(self._estimations))
        streams = [estimation.run(given) for estimation, given in zip(self._estimations, inputs, strict=True)]
        mixed = (
            [np.tensordot(mixing, made, axes=1) for mixing, made in zip(self._mixings, blocks_of, strict=True)]
            for blocks_of in in_step(streams)
        )
        if self._rule == "mean":
            for parts in mixed:
                yield np.asarray(sum(parts), np.float32)
            return
        shape: list[tuple[int, ...]] = []

        def rows() -> Iterator[Samples]:
            for parts in mixed:
                shape[:] = [(len(parts), *parts[0].shape[:-1])]
                yield np.concatenate(parts).reshape(-1, parts[0].shape[-1])

        spectra = Spectra(self._sample_rate)

        def combine(segment: Samples) -> Samples:
            members = spectra.analyse(segment).reshape(*shape[0], -1, spectra.n_fft // 2 + 1)
            return spectra.synthesise(combine_spectra(members, self._rule, self._counted), segment.shape[-1])

        yield from overlap_add(rows(), spectra.segmentation, combine)

    @property
    def _counted(self) -> Samples:
        """Which members make which stem, [members, stems]."""
        return np.stack([mixing.any(axis=1) for mixing in self._mixings])


def combine_spectra(members: Any, rule: Rule, counted: Samples) -> Any:
    """Returns one spectrum [stems, channels, frames, bins] of several [members, stems, ...].

    Its magnitude is by the rule over the members that `counted` [members, stems] has, its phase that of their sum.
    """
    functions: dict[str, Any] = {"minimum": np.min, "maximum": np.max, "median": np.median}
    result = np.empty(members.shape[1:], np.complex64)
    for stem in range(members.shape[1]):
        own = members[counted[:, stem], stem]
        magnitude = functions[rule](np.abs(own), axis=0)
        total = own.sum(axis=0)
        result[stem] = magnitude * total / np.maximum(np.abs(total), np.finfo(np.float32).tiny)
    return result


def find_weights(spec: ModelSpec, options: EnsembleOptions) -> Samples:
    """Returns how much each member counts for each stem [members, stems]; over the members they sum to one.

    Raises:
        InvalidOption: for a malformed weight, a name that is not there, or a stem that no member counts for.
    """
    weights = np.array([[member.weight(stem) for stem in spec.outputs] for member in spec.members], np.float32)
    names = [member.spec.name for member in spec.members]
    for text in options.weights:
        where, _, number = text.rpartition("=")
        name, _, stem = (where, "", "") if where in names else where.rpartition(".")
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if name not in names:
            hint = did_you_mean(name or where, names)
            raise InvalidOption(f"Option 'weights' cannot be {text!r}: write MODEL=WEIGHT or MODEL.STEM=WEIGHT.{hint}")
        if stem and stem not in spec.outputs:
            raise InvalidOption(f"Option 'weights' cannot be {text!r}: the stems are {', '.join(spec.outputs)}.")
        if not 0 <= value < float("inf"):
            raise InvalidOption(f"Option 'weights' cannot be {text!r}: a weight is a number from 0 on.")
        columns = [spec.outputs.index(stem)] if stem else slice(None)
        weights[names.index(name), columns] = value
    totals = weights.sum(axis=0)
    if not totals.all():
        raise InvalidOption(f"Option 'weights' leaves nobody to make {spec.outputs[int(np.argmin(totals))]}.")
    return np.asarray(weights / totals, np.float32)


def _holds(stem: str, spec: ModelSpec, member: ModelSpec) -> Samples:
    """Returns which of a member's stems make up a stem of the ensemble."""
    if stem in member.outputs:
        return np.array([name == stem for name in member.outputs], np.float32)
    return np.array([name not in spec.outputs for name in member.outputs], np.float32)


def check_members(spec: ModelSpec, options: SeparationOptions) -> None:
    """Raises `InvalidOption` for options that a member of an ensemble refuses."""
    if isinstance(options, EnsembleOptions):
        find_weights(spec, options)
        for part in spec.parts:
            member_options(part, options)


def specialists(members: Sequence[tuple[ModelSpec, str]]) -> tuple[Member, ...]:
    """Returns the members of a bag in which each model makes one stem only, as pairs of model and stem."""
    stems = [stem for _, stem in members]
    return tuple(Member(spec, tuple((other, float(other == stem)) for other in stems)) for spec, stem in members)
