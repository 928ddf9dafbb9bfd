"""A PostgreSQL of the tests' own: made in a new folder, reached through a socket there, gone with it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

DATABASE = "sayseek"
# Nothing is kept for longer than the tests run, so it need not outlive the machine. That a commit is acknowledged
# before it is written is not for the index: it has to ask for more.
OPTIONS = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "listen_addresses=", "max_connections=200")
# This role alone needs a password: "right".
GUARDED = "guarded"


def programs() -> Path | None:
    """The folder of PostgreSQL's programs, which distributions do not put on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if found:
        return found[-1].parent
    return Path(there).parent if (there := shutil.which("initdb")) else None


class PostgresServer:
    """One that runs until `stop`; it refuses to run as root, who becomes "postgres" for it."""

    def __init__(self, folder: Path, where: Path) -> None:
        self.folder = folder
        self._where = where
        self._data = folder / "data"
        self._as = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self._as:
            shutil.chown(folder, "postgres", "postgres")
        self._run("initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "--username=postgres")
        rules = f"local all {GUARDED} scram-sha-256\nlocal all all trust\n"
        (self._data / "pg_hba.conf").write_text(rules)
        self.start()
        self.run_sql(f"CREATE DATABASE {DATABASE}", database="postgres")
        self.run_sql(f"CREATE ROLE {GUARDED} LOGIN PASSWORD 'right'")

    def start(self) -> None:
        options = " ".join(f"-c {option}" for option in OPTIONS)
        log = self.folder / "log"
        self._run("pg_ctl", "start", "--wait", f"--log={log}", "-o", f"-k {self.folder} {options}")

    def stop(self, how: str = "fast") -> None:
        """End it; `immediate` is as if it had crashed."""
        self._run("pg_ctl", "stop", "--wait", f"--mode={how}")

    @contextmanager
    def stopped(self) -> Iterator[None]:
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Whoever is connected, or connects, gets no answer until this ends."""
        server = psutil.Process(int((self._data / "postmaster.pid").read_text().split()[0]))
        server.suspend()
        others = server.children()
        try:
            for process in others:
                process.suspend()
            yield
        finally:
            for process in (*others, server):
                process.resume()

    def url(self, catalogue: str, user: str = "postgres", password: str = "", database: str = DATABASE) -> str:
        login = f"{user}:{password}" if password else user
        return f"postgresql://{login}@/{database}?host={self.folder}&catalogue={catalogue}"

    def run_sql(self, statement: str, database: str = DATABASE) -> str:
        command = [self._where / "psql", "-h", self.folder, "-U", "postgres", "-d", database, "-Atqc", statement]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as, self._where / program, "-D", self._data, *arguments]
        # To files, not pipes: the server would hold them open.
        with (self.folder / f"{program}.out").open("w") as out:
            subprocess.run(command, check=True, stdout=out, stderr=subprocess.STDOUT, cwd=self.folder)


@contextmanager
def running(where: Path) -> Iterator[PostgresServer]:
    with tempfile.TemporaryDirectory(prefix="sayseek-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(Path(folder), where)
        try:
            yield server
        finally:
            server.stop("immediate")
