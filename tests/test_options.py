"""One description of an option serves every face, and mistakes are named."""

from __future__ import annotations

import pytest
from pydantic import Field

from audio_ml import errors
from audio_ml.errors import InvalidOption
from audio_ml.options import Options, describe, parse
from separation.engines.spleeter import SpleeterOptions
from separation.options import DeliveryOptions


class Sample(Options):
    """Options with one of each kind."""

    size: int = Field(3, ge=1, le=9, description="How big.", json_schema_extra={"unit": "px"})
    wide: bool = False
    names: tuple[str, ...] = ()
    limit: float | None = Field(None, gt=0)


def test_description_carries_range_unit_and_flag() -> None:
    size, wide, names, limit = describe(Sample)
    assert (size.kind, size.default, size.minimum, size.maximum, size.unit) == ("integer", 3, 1, 9, "px")
    assert (wide.kind, names.kind) == ("flag", "list")
    assert (limit.kind, limit.optional, limit.minimum) == ("number", True, 0)
    assert {field.name: field.step for field in describe(SpleeterOptions)}["overlap"] == 0.25
    assert {field.name: field.flag for field in describe(DeliveryOptions)}["start_seconds"] == "--start"


def test_every_field_of_ours_is_described() -> None:
    for model in (SpleeterOptions, DeliveryOptions):
        assert all(field.description for field in describe(model))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"siz": 4}, ["'siz'", "Did you mean 'size'?"]),
        ({"size": 10}, ["Option 'size' cannot be 10: it has to be at most 9."]),
        ({"size": -1}, ["'size'", "-1: it has to be at least"]),
        ({"size": "big"}, ["Option 'size' cannot be 'big': it has to be a whole number."]),
        ({"size": 2.5}, ["2.5: it has to be a whole number."]),
        ({"limit": float("nan")}, ["'limit'", "it has to be a finite number"]),
        ({"limit": "far"}, ["'far': it has to be a number."]),
    ],
)
def test_a_mistake_names_option_value_and_remedy(values: dict, words: list[str]) -> None:
    with pytest.raises(InvalidOption) as error:
        parse(Sample, values)
    assert all(word in str(error.value) for word in words)


def test_options_pass_through_and_cannot_change() -> None:
    options = Sample(size=5)
    assert parse(Sample, options) is options
    assert parse(Sample, None) == Sample()
    with pytest.raises(ValueError, match="frozen"):
        options.size = 6


def test_exact_and_overlap_exclude_each_other() -> None:
    with pytest.raises(InvalidOption, match="exact"):
        parse(SpleeterOptions, {"exact": True, "overlap": 0.5})


def test_exit_codes_are_those_of_the_table() -> None:
    table = {"InvalidInput": 2, "WeightsError": 3, "MissingDependency": 4, "OutOfMemory": 5, "OutputError": 6}
    table |= {"PartialFailure": 7, "Cancelled": 130, "UnknownModel": 2, "WeightsCorrupt": 3, "DiskFull": 6}
    assert {name: getattr(errors, name).exit_code for name in table} == table
