"""A server over a catalogue in PostgreSQL, which goes away and comes back."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil

from search.catalogue.document import Document
from search.opening import open_index
from tests.e2e.conftest import StartServer
from tests.e2e.test_load import wait_until
from tests.postgres_server import PostgresServer


def test_lost_database_is_a_503_until_it_is_back(
    start_server: StartServer, postgres: PostgresServer, sample_files: list[Path]
) -> None:
    clip = sample_files[0].read_bytes()
    url = postgres.url("served")
    with open_index(url) as index:
        index.upsert([Document("1", "Reykjavík", "Capital of Iceland")])
    with start_server(index=url, model="tiny.en", sample_catalogue="false") as server:

        def search() -> httpx.Response:
            return httpx.get(f"{server.address}/v1/search", params={"q": "reykjavik"}, timeout=10)

        assert [result["title"] for result in search().json()["results"]] == ["Reykjavík"]
        with postgres.stopped():
            for _ in range(3):
                lost = search()
                assert lost.status_code == 503
                assert int(lost.headers["Retry-After"]) > 0
                error = lost.json()["error"]
                assert error["code"] == "index_unavailable"
                assert error["message"].startswith("The database cannot be reached.")
                assert str(postgres.folder) not in error["message"]
            assert server.ask(clip).json()["error"]["code"] == "index_unavailable"
            assert httpx.get(f"{server.address}/healthz").status_code == 200

        assert search().json()["results"][0]["title"] == "Reykjavík"
        assert server.ask(clip).status_code == 200
        with open_index(url) as replica:
            replica.upsert([Document("2", "Reykjavík Airport")])
        assert len(search().json()["results"]) == 2


def test_sigterm_is_obeyed_while_the_database_hangs(start_server: StartServer, postgres: PostgresServer) -> None:
    """A thread that waited for it once kept the process from ending."""
    url = postgres.url("hanging")
    with (
        start_server(index=url, model="tiny.en", sample_catalogue="false", shutdown_timeout=1) as server,
        ThreadPoolExecutor(1) as pool,
    ):
        clients = "SELECT pid FROM pg_stat_activity WHERE application_name = 'sayseek'"
        processes = [psutil.Process(int(pid)) for pid in postgres.run_sql(clients).split()]
        for process in processes:
            process.suspend()
        served = psutil.Process(server.process.pid)
        threads = served.num_threads()
        try:
            put = pool.submit(
                httpx.put, f"{server.address}/v1/documents", json=[{"id": "1", "title": "Thing"}], timeout=60
            )
            wait_until(lambda: served.num_threads() > threads)
            assert server.stop() == 0
        finally:
            for process in processes:
                process.resume()
        assert put.result().json()["error"]["code"] == "shutting_down"
