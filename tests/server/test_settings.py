"""Settings come from variables and flags, are checked once, and stand in the documentation."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from asr.languages import LANGUAGES
from asr.whisper.checkpoints import Checkpoint
from server.command.cli import app, flag_of
from server.settings import Settings, misspelt_variables, variable_of

README = Path(__file__).parents[2] / "README.md"


def test_variables_set_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAYSEEK_PORT", "9001")
    monkeypatch.setenv("SAYSEEK_LANGUAGES", "en-US, German,FR,en_GB")
    settings = Settings()
    assert settings.port == 9001
    assert settings.languages == ("en", "de", "fr")


def test_variables_set_to_nothing_set_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty SAYSEEK_MODEL was once looked for as a folder."""
    for name in Settings.model_fields:
        monkeypatch.setenv(variable_of(name), "")
    assert Settings().model_dump() == {name: field.default for name, field in Settings.model_fields.items()}


def test_blanks_around_a_key_are_none_of_it() -> None:
    key = Settings(api_key=" hush\n").api_key
    assert key
    assert key.get_secret_value() == "hush"
    assert Settings(api_key=" ").api_key is None


@pytest.mark.parametrize("written", ["/voice/search", "voice/search/", " /voice/search/ "])
def test_a_prefix_may_be_written_with_and_without_slashes_at_its_ends(written: str) -> None:
    assert Settings(root_path=written).root_path == "/voice/search"
    assert Settings(root_path="/").root_path == ""


def test_the_two_keys_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one key for both, every page could change the catalogue, or nobody could."""
    monkeypatch.setenv("SAYSEEK_API_KEY", "hush")
    result = CliRunner().invoke(app, ["serve", "--page-key", " hush "])
    assert result.exit_code == 2
    assert "--page-key" in result.output
    assert "hush" not in result.output


def test_origins_are_written_as_browsers_write_them() -> None:
    given = "HTTPS://Shop.Example:443, http://shop.example:80/,http://[::1]:8000, capacitor://localhost,"
    assert Settings(allowed_origins=given).allowed_origins == (
        "https://shop.example",
        "http://shop.example",
        "http://[::1]:8000",
        "capacitor://localhost",
    )
    assert Settings(allowed_hosts="Shop.Example, sayseek").allowed_hosts == ("shop.example", "sayseek")


def test_log_levels_may_be_written_large() -> None:
    assert Settings(log_level="WARNING").log_level == "warning"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("SAYSEEK_MAX_QUEU", "SAYSEEK_MAX_QUEU is not a setting; did you mean SAYSEEK_MAX_QUEUE?"),
        ("sayseek_langauges", "SAYSEEK_LANGAUGES is not a setting; did you mean SAYSEEK_LANGUAGES?"),
        ("SAYSEEK_SERVR", "did you mean SAYSEEK_SERVER?"),
        ("SAYSEEK_COMPILED_CODE", "SAYSEEK_COMPILED_CODE is called SAYSEEK_CACHE now"),
        ("SAYSEEK_WORKERS", "SAYSEEK_WORKERS is not a setting; sayseek-server serve --help lists them"),
    ],
)
@pytest.mark.parametrize("command", [["serve"], ["index", "none.jsonl"], ["evaluate", "none.jsonl"]])
def test_a_variable_that_is_no_setting_ends_the_program(command: list[str], name: str, told: str) -> None:
    result = CliRunner().invoke(app, command, env={name: "3", "COLUMNS": "200"})
    assert result.exit_code == 2
    assert told in result.output


def test_what_the_clients_and_other_services_are_told_is_let_be() -> None:
    variables = {
        "SAYSEEK_SERVER": "http://127.0.0.1:8000",
        "SAYSEEK_API_KEY": "hush",
        "SAYSEEK_WEB_SERVICE_HOST": "10.0.0.7",
        "SAYSEEK_WEB_SERVICE_PORT_HTTP": "80",
        "SAYSEEK_WEB_PORT": "tcp://10.0.0.7:80",
        "SAYSEEK_WEB_PORT_80_TCP_ADDR": "10.0.0.7",
        "SAYSEEK_OLD": "",
        "OTHER_MAX_QUEU": "3",
    }
    assert misspelt_variables(variables) == []


def test_kubernetes_address_of_a_service_called_sayseek_is_no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAYSEEK_PORT", "tcp://10.0.0.7:80")
    assert Settings().port == 8000


@pytest.mark.parametrize("name", ["SAYSEEK_API_KEY", "SAYSEEK_MODEL", "SAYSEEK_LOG_LEVEL", "SAYSEEK_HUB_CACHE"])
def test_a_variable_that_is_not_utf8_ends_the_program(name: str) -> None:
    result = CliRunner().invoke(app, ["serve"], env={name: "caf\udce9"})
    assert result.exit_code == 2
    assert name in result.output


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--port", "70000"),
        ("--port", "x"),
        ("--languages", " , "),
        ("--languages", "en,xx"),
        ("--max-queue", "0"),
        ("--model", " "),
        ("--api-key", "schlüssel"),
        ("--api-key", "hush\x07hush"),
        ("--page-key", "not/a/subprotocol"),
        ("--allowed-origins", "shop.example"),
        ("--allowed-origins", "*"),
        ("--allowed-origins", "https://*.shop.example"),
        ("--allowed-origins", "https://shop.example/page"),
        ("--allowed-origins", "https://shop.example?q"),
        ("--allowed-origins", "https://shop.example#"),
        ("--allowed-origins", "https://me@shop.example"),
        ("--allowed-origins", "https://shop.example:port"),
        ("--allowed-origins", "https://shop.example:99999"),
        ("--allowed-origins", "https://bücher.example"),
        ("--allowed-origins", "https://[::1"),
        ("--allowed-origins", "wss://shop.example"),
        ("--allowed-origins", "null"),
        ("--allowed-hosts", "https://shop.example"),
        ("--allowed-hosts", "shop.example:8000"),
        ("--allowed-hosts", "*"),
        ("--log-level", "loud"),
        ("--root-path", "http://voice.example"),
        ("--root-path", "/a b"),
        ("--shutdown-timeout", "inf"),
        ("--answer-timeout", "nan"),
        ("--upload-timeout", "1e999"),
    ],
)
def test_a_wrong_setting_ends_the_program_and_names_its_flag(flag: str, value: str) -> None:
    result = CliRunner().invoke(app, ["serve", flag, value])
    assert result.exit_code == 2
    assert flag in result.output


def test_the_languages_that_may_be_named_are_whispers(base: Checkpoint) -> None:
    """The check needs no model; large-v3 added Cantonese to what the packaged model knows."""
    assert {*base.tokenizer.languages, "yue"} == LANGUAGES


def test_every_setting_has_a_flag_that_is_described() -> None:
    text = " ".join(CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "400"}).output.split())
    for name, field in Settings.model_fields.items():
        assert flag_of(name) in text
        assert variable_of(name) in text
        assert field.description
        assert field.description.split(":")[0] in text


def test_every_setting_stands_in_the_readme_with_its_default() -> None:
    rows = {line.split("|")[1].strip(" `"): line for line in README.read_text().splitlines() if "| `SAYSEEK_" in line}
    for name, field in Settings.model_fields.items():
        row = rows.pop(variable_of(name))
        default = "" if field.default is None else field.default
        shown = ",".join(default) if isinstance(default, tuple) else str(default)
        if isinstance(default, bool):
            shown = shown.lower()
        assert row.split("|")[2].strip(" `") == shown, row
    assert not {name for name in rows if name not in {"SAYSEEK_SERVER"}}
