"""Paths as the command line takes them."""

import os
from pathlib import Path
from typing import Any

import click


class PathType(click.Path):
    """A path that is not empty: an empty one would silently mean the current folder.

    Whether it may be read is left to who reads it, who has the words and the exit code for it.
    """

    def __init__(self, **about: Any) -> None:
        """Take what click.Path takes."""
        super().__init__(readable=False, **about)

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Return the path; an empty one is a usage error."""
        if not os.fspath(value):
            self.fail("The path is empty; the current folder is '.'.", param, ctx)
        return super().convert(value, param, ctx)


A_PATH = PathType(path_type=Path)
