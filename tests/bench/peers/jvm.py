"""Peers in Java: jars by the listed digests, compiled by ecj on the Java that runs Kafka, so no JDK is needed.

What is fetched and compiled stays in assay's cache directory and is used again while neither sources nor jars change.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from assay.app.bench.peers import PeerRound
from assay.app.settings import Settings
from assay.app.substrate.jars import class_path, listed
from assay.app.substrate.java import find_java
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

HERE: Final = Path(__file__).parent
#: what all peers in Java share
SHARED: Final = "workload"
#: the oldest Java that Kafka runs on here
RELEASE: Final = "17"
COMPILE_TIMEOUT_S: Final = 120

LOGGING_FILE: Final = "log4j2.properties"
LOGGING: Final = """\
status=error
rootLogger.level=WARN
rootLogger.appenderRef.stdout.ref=STDOUT
appender.stdout.type=Console
appender.stdout.name=STDOUT
appender.stdout.layout.type=PatternLayout
appender.stdout.layout.pattern=%d{HH:mm:ss,SSS} %p %m (%c{1})%n%throwable
"""


def java_program(
    package: str, main: str, jars: str, flags: Sequence[str], settings: Settings, say: Callable[[str], None]
) -> Callable[[PeerRound, Sequence[str]], list[str]]:
    """Fetch and compile; what it gives is the command line of a peer's main class at a place, with further arguments."""
    java = find_java()
    say(f"{package}: jars …")
    needed = class_path(settings, listed(HERE / jars))
    classes = compiled(package, needed, java, settings, say)
    path = ":".join(str(part) for part in (classes, *needed))

    def command(at: PeerRound, arguments: Sequence[str]) -> list[str]:
        scratch = at.directory / "tmp"  # native parts of jars are unpacked here, not in the user's /tmp
        scratch.mkdir(parents=True, exist_ok=True)
        machine = [*flags, "-XX:-UsePerfData", f"-Djava.io.tmpdir={scratch}", f"-Dlog4j2.configurationFile={classes / LOGGING_FILE}"]
        place = [at.bootstrap, at.group, at.source, at.target, str(at.directory)]
        return [str(java), *machine, "-cp", path, f"{package}.{main}", *place, *arguments]

    return command


def compiled(package: str, needed: Sequence[Path], java: Path, settings: Settings, say: Callable[[str], None]) -> Path:
    """The directory with the classes of a package and of what all share. Raises Stop(BENCH_INVALID) with what the compiler says."""
    sources = sorted(path for folder in (SHARED, package) for path in (HERE / "java" / folder).glob("*.java"))
    digest = hashlib.sha256("\n".join(str(jar.name) for jar in needed).encode())
    for source in sources:
        digest.update(source.read_bytes())
    done = settings.cache / "peers" / f"{package}-{digest.hexdigest()[:16]}"
    if done.exists():
        return done / "classes"
    say(f"{package}: compile {len(sources)} files …")
    (compiler,) = class_path(settings, listed(HERE / "ecj.sha256"))
    done.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=done.parent) as room:
        draft = Path(room) / "done"
        (draft / "classes").mkdir(parents=True)
        (draft / "classes" / LOGGING_FILE).write_text(LOGGING)
        options = ["-source", RELEASE, "-target", RELEASE, "-proc:none", "-nowarn", "-d", str(draft / "classes")]
        command = [str(java), "-jar", str(compiler), *options, "-cp", ":".join(map(str, needed)), *map(str, sources)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=COMPILE_TIMEOUT_S)
        if ended.returncode:
            raise Stop(Reason.BENCH_INVALID, f"{package} does not compile:\n{ended.stdout}{ended.stderr}", where=str(HERE / "java"))
        try:
            draft.rename(done)
        except OSError:  # another process was first
            if not done.exists():
                raise
    return done / "classes"
