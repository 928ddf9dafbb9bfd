"""The commands and flags that the README names are there; its Python examples are run end to end."""

import re
import shlex
from pathlib import Path

import typer

from clients.command.cli import app as client_app
from server.command.cli import app as server_app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PYTHON = re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)
SHELL = re.findall(r"^```sh\n(.*?)^```", README, re.M | re.S)
COMMANDS = {"sayseek": typer.main.get_command(client_app), "sayseek-server": typer.main.get_command(server_app)}


def commands() -> list[list[str]]:
    """The calls of our own commands in the shell examples and in the text, without variables before them."""
    lines = [line for example in SHELL for line in example.replace("\\\n", "").splitlines()]
    lines += re.findall(r"`((?:sayseek|sayseek-server) [^`]+)`", README)
    words = [shlex.split(line, comments=True) for line in lines]
    words = [[word for word in line if not re.match(r"[A-Z_]+=", word)] for line in words]
    return [line for line in words if line and line[0].rpartition("/")[2] in COMMANDS]


def test_commands_and_flags_exist() -> None:
    assert len(commands()) > 8
    for program, *arguments in commands():
        group = COMMANDS[program.rpartition("/")[2]]
        command = group.commands.get(arguments[0])
        assert command, arguments
        flags = {flag for parameter in command.params for flag in parameter.opts}
        assert {word for word in arguments if word.startswith("--")} <= flags, arguments
