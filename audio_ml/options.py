"""The base of every option model, and the one description of an option that all faces draw from."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from audio_ml.errors import InvalidOption, did_you_mean

WHOLE, NUMBER = "a whole number", "a number"
EXPECTED = {  # by pydantic's names for what is wrong
    "greater_than_equal": "at least {ge:.12g}",
    "greater_than": "more than {gt:.12g}",
    "less_than_equal": "at most {le:.12g}",
    "less_than": "less than {lt:.12g}",
    "multiple_of": "a multiple of {multiple_of:.12g}",
    "literal_error": "{expected}",
    "bool_parsing": "true or false",
    "int_parsing": WHOLE,
    "int_from_float": WHOLE,
    "float_parsing": NUMBER,
    "finite_number": "a finite number",
}

Kind = Literal["flag", "integer", "number", "choice", "text", "list"]


class Options(BaseModel):
    """A frozen set of options; an unknown name is refused.

    A field carries its default, description and range; `json_schema_extra` may add `flag` (the
    command line's name for it), `unit`, `advanced` (folded away on a page), `names` (what a text or
    list names, such as "stems", so that a page can offer them) and `group` (which options stand together;
    otherwise those of one class do).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


AnyOptions = TypeVar("AnyOptions", bound=Options)


@dataclass(frozen=True)
class OptionField:
    """One option as a face sees it."""

    name: str
    kind: Kind
    default: Any
    description: str
    flag: str
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    unit: str = ""
    advanced: bool = False
    optional: bool = False
    names: str = ""
    group: str = ""


def parse(model: type[AnyOptions], values: AnyOptions | Mapping[str, Any] | None) -> AnyOptions:
    """Returns validated options from an instance, a mapping, or None for the defaults.

    Raises:
        InvalidOption: naming the option, the value, and what would be right.
    """
    if isinstance(values, model):
        return values
    if isinstance(values, Options):
        values = values.model_dump(exclude_unset=True)
    try:
        return model(**(values or {}))
    except ValidationError as error:
        raise InvalidOption(_explain(model, error)) from error


def describe(model: type[Options]) -> list[OptionField]:
    """Lists the options of a model in order, for flags, widgets and tables.

    >>> class Blur(Options):
    ...     '''Options of a blur.'''
    ...     size: int = 3
    >>> describe(Blur)[0].flag
    '--size'
    """
    return [_describe_field(name, field, model) for name, field in model.model_fields.items()]


def _describe_field(name: str, field: FieldInfo, model: type[Options]) -> OptionField:
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    kind, choices, optional = _kind(field.annotation)
    limits = {type(rule).__name__: rule for rule in field.metadata}
    return OptionField(
        name=name,
        kind=kind,
        default=field.get_default(call_default_factory=True),
        description=field.description or "",
        flag=str(extra.get("flag", "--" + name.replace("_", "-"))),
        choices=choices,
        minimum=_limit(limits, "Ge", "Gt"),
        maximum=_limit(limits, "Le", "Lt"),
        step=limits["MultipleOf"].multiple_of if "MultipleOf" in limits else None,
        unit=str(extra.get("unit", "")),
        advanced=bool(extra.get("advanced", False)),
        optional=optional,
        names=str(extra.get("names", "")),
        group=str(extra.get("group", "")) or _group(name, model),
    )


def _group(name: str, model: type[Options]) -> str:
    """Returns what the class that an option first comes from is called: "Speech file" of SpeechFileOptions."""
    origin = next(base for base in reversed(model.__mro__) if name in vars(base).get("__annotations__", {}))
    words = re.findall(r"[A-Z]+(?![a-z])\d*|[A-Z]?[^A-Z]+", origin.__name__.removesuffix("Options"))
    return " ".join(word if word.isupper() else word.lower() for word in words).strip().capitalize()


def _limit(limits: Mapping[str, Any], closed: str, open_: str) -> float | None:
    for kind in (closed, open_):
        if kind in limits:
            return float(getattr(limits[kind], kind.lower()))
    return None


def _kind(annotation: Any) -> tuple[Kind, tuple[str, ...], bool]:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        (inner,) = (argument for argument in arguments if argument is not type(None))
        kind, choices, _ = _kind(inner)
        return kind, choices, True
    if origin is Literal:
        return "choice", tuple(str(argument) for argument in arguments), False
    if origin is tuple:
        return "list", (), False
    kinds: dict[Any, Kind] = {bool: "flag", int: "integer", float: "number", str: "text"}
    return kinds[annotation], (), False


def _expected(problem: ErrorDetails) -> str:
    """Returns what a value has to be, in our words for what is wrong most often, else in pydantic's."""
    words = EXPECTED.get(problem["type"])
    return f"it has to be {words.format(**problem.get('ctx', {}))}" if words else problem["msg"]


def _explain(model: type[Options], error: ValidationError) -> str:
    problems = []
    for problem in error.errors():
        name = str(problem["loc"][0]) if problem["loc"] else ""
        if problem["type"] == "extra_forbidden":
            known = list(model.model_fields)
            problems.append(f"Unknown option '{name}'.{did_you_mean(name, known)} Known options: {', '.join(known)}.")
        elif name:
            problems.append(f"Option '{name}' cannot be {problem['input']!r}: {_expected(problem)}.")
        else:
            problems.append(problem["msg"].removeprefix("Value error, "))
    return " ".join(problems)
