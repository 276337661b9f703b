"""Command-line flags made from option models, so that an option is described once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import typer

from audio_ml.options import OptionField, Options, describe

OptionGroups = dict[str, Sequence[type[Options]]]


def takes(**groups: Sequence[type[Options]]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command a flag for every option of the models of each group.

    The command receives, under the name of the group, a dictionary of the options that were given;
    what was not given is left to the model's default. Models that share an option share its flag.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        owners: dict[str, str] = {}
        parameters = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name not in groups]
        for group, models in groups.items():
            for field in (field for model in models for field in describe(model)):
                if field.name not in owners:
                    owners[field.name] = group
                    parameters.append(_parameter(field))

        @functools.wraps(command)
        def run(**values: Any) -> None:
            given: dict[str, dict[str, Any]] = {group: {} for group in groups}
            for name, group in owners.items():
                value = values.pop(name)
                if value is not None:
                    given[group][name] = value
            command(**values, **given)

        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorate


def _parameter(field: OptionField) -> inspect.Parameter:
    types: dict[str, Any] = {"flag": bool, "integer": int, "number": float, "list": str}
    option = typer.Option(
        _declared(field),
        help=_help(field),
        show_default=False,
        parser=_comma_separated if field.kind == "list" else None,
        metavar="A,B,..." if field.kind == "list" else None,
    )
    kind: Any = Literal[field.choices] if field.kind == "choice" else types.get(field.kind, str)
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _declared(field: OptionField) -> str:
    """Returns the flag, for what is on by default with the one that switches it off."""
    on_by_default = field.kind == "flag" and field.default is True
    return f"{field.flag}/--no-{field.flag.removeprefix('--')}" if on_by_default else field.flag


def _help(field: OptionField) -> str:
    unit = f" ({field.unit})" if field.unit else ""
    default = "" if field.default in (None, (), False, "") else f" Default: {field.default}."
    if field.default is True:
        default = " On by default."
    return field.description.removesuffix(".") + unit + "." + default


def _comma_separated(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
