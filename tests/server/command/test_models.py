"""`sayseek-server models --measure` shows what could compute a model here, and what is chosen."""

import pytest
from typer.testing import CliRunner

from server.command.cli import app
from tests.asr.conftest import KERNELS


@pytest.mark.skipif(not KERNELS, reason="the network was not compiled here")
def test_every_arithmetic_stands_in_a_line() -> None:
    environment = {"SAYSEEK_INSTRUCTIONS": "auto", "COLUMNS": "120"}
    result = CliRunner().invoke(app, ["models", "--measure", "--model", "tiny.en", "--threads", "1"], env=environment)
    assert result.exit_code == 0, result.output
    for name in (*(f"int8 ({path})" for path in KERNELS), "float32"):
        assert f"\n {name} " in result.output
    assert result.output.count("(chosen)") == 2
    assert "tiny.en, a clip alone on " in result.output


def test_instructions_that_are_not_here_end_the_program() -> None:
    result = CliRunner().invoke(app, ["models", "--measure"], env={"SAYSEEK_INSTRUCTIONS": "sse9"})
    assert result.exit_code == 1
    assert 'no kernels for the instructions "sse9"' in result.output.replace("\n", " ")
