"""Finds the templates: beside the package in a checkout or an sdist, inside it in a wheel."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_PACKAGE = Path(__file__).resolve().parent


@cache
def environment() -> Environment:
    """The one Jinja environment; an undefined name in a template is an error."""
    return Environment(
        loader=FileSystemLoader([_PACKAGE / "templates", _PACKAGE.parent / "templates"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def render(template: str, **values: object) -> str:
    """The text of a template file, with one frozen value for each name that it prints."""
    return environment().get_template(template).render(**values)
