"""The documented command line is the real one."""

import re
from pathlib import Path

from nestor.cli import cli
from nestor.cli.reference import reference


def test_the_page_is_what_the_program_says(root: Path) -> None:
    """`make docs` was run after the last change."""
    assert (root / "docs/cli.md").read_text() == reference()


def test_every_command_and_option_in_the_readme_exists(root: Path) -> None:
    """A reader who copies a line gets no usage error."""
    readme = (root / "README.md").read_text()
    lines = re.findall(r"^\$? ?(?:\.venv/bin/)?nestor ([a-z]+)(.*)$", readme, re.MULTILINE)
    assert lines, "the README shows no command"
    for name, rest in lines:
        options = {option for parameter in cli.commands[name].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest.split("#")[0])) <= options, f"nestor {name}{rest}"


def test_every_option_has_help() -> None:
    """No option without a word on what it does."""
    for name, command in cli.commands.items():
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert getattr(parameter, "help", None), f"nestor {name} {parameter.opts}"
