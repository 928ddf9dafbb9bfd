"""The rooms import each other only along the arrows of the design."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LADDER = ("vad", "asr", "search", "pipeline", "evaluation", "server")
ROOMS = {*LADDER, "clients"}
ARROWS = {room: set(LADDER[:floor]) for floor, room in enumerate(LADDER)} | {"search": set(), "clients": {"vad"}}
EXCEPTIONS = {("search", "asr.transcript")}  # its result types, and nothing else
HTTP = {"fastapi", "starlette", "uvicorn", "httpx"}
HEAVY = {"torch", "av", "fastapi", "tantivy", "pydantic"}


def imported(room: str) -> set[str]:
    """The full names of all modules that a room's files import, inside functions too."""
    names: set[str] = set()
    for path in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
    return names


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_rooms_import_along_the_arrows(room: str) -> None:
    for name in imported(room):
        other = name.split(".")[0]
        if other in ROOMS - {room} and (room, name) not in EXCEPTIONS:
            assert other in ARROWS[room], f"{room} imports {name}"


@pytest.mark.parametrize("room", LADDER[:-1])
def test_recognition_and_search_know_nothing_of_http(room: str) -> None:
    assert not {name.split(".")[0] for name in imported(room)} & HTTP


@pytest.mark.parametrize("room", ["clients", "vad"])
def test_the_edge_stays_light(room: str) -> None:
    assert not {name.split(".")[0] for name in imported(room)} & HEAVY


def test_every_room_says_what_lives_there() -> None:
    for room in ROOMS:
        docstring = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text()))
        assert docstring
        assert "`" in docstring, f"{room}/__init__.py names no file to read"
