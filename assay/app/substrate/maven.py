"""The user's own Maven repositories: mirrors, credentials and local cache, as their Maven is set up.

jgo asks one public repository unless told otherwise and does not read Maven's settings; in a bank only the mirror answers.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit
from xml.etree import ElementTree

from jgo.config import GlobalSettings
from jgo.maven import MavenContext

from assay.app.settings import Settings, expand_environment
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


@dataclass(frozen=True)
class Repositories:
    """Where jars may already be (read only), and the remote repositories by id in the order they are asked."""

    local: Path
    remote: dict[str, str]


def repositories(settings: Settings) -> Repositories:
    """The mirror of the settings, else jgo's own configuration and Maven's settings.xml; raises Stop(SETTING_INVALID) for a broken one."""
    jgo = GlobalSettings.load()
    document = _read(settings.maven_settings)
    local = document.findtext("localRepository") if document is not None else None
    remote = {**MavenContext().remote_repos, **jgo.repositories}
    if document is not None:
        remote = _mirrored(document, {**remote, **_active_repositories(document)})
    if settings.maven_mirror:
        remote = {"mirror": settings.maven_mirror.rstrip("/")}
    return Repositories(Path(expand_environment(local)).expanduser() if local else jgo.repo_cache, remote)


def _read(path: Path) -> ElementTree.Element | None:
    if not path.is_file():
        return None
    try:
        root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    except (ElementTree.ParseError, UnicodeDecodeError) as error:
        raise Stop(
            Reason.SETTING_INVALID, f"setting maven_settings: {path} is not XML: {error}", remedy="Correct the file or name another."
        ) from None
    for element in root.iter():  # settings.xml comes with and without its namespace
        element.tag = element.tag.rpartition("}")[2]
        element.text = expand_environment(element.text.strip()) if element.text else element.text
    return root


def _active_repositories(root: ElementTree.Element) -> dict[str, str]:
    active = {element.text for element in root.findall("activeProfiles/activeProfile")}
    found: dict[str, str] = {}
    for profile in root.findall("profiles/profile"):
        if profile.findtext("id") in active or profile.findtext("activation/activeByDefault") == "true":
            for repository in profile.findall("repositories/repository"):
                found[repository.findtext("id") or ""] = repository.findtext("url") or ""
    return found


def _mirrored(root: ElementTree.Element, remote: dict[str, str]) -> dict[str, str]:
    """Each repository replaced by the mirror that stands for it, Maven's rule: the exact id first, then the first pattern."""
    mirrors = [(m.findtext("id") or "", m.findtext("mirrorOf") or "", m.findtext("url") or "") for m in root.findall("mirrors/mirror")]
    result: dict[str, str] = {}
    for repository, address in remote.items():
        exact = [mirror for mirror in mirrors if mirror[1] == repository]
        matching = exact or [mirror for mirror in mirrors if _stands_for(mirror[1], repository)]
        name, url = (matching[0][0], matching[0][2]) if matching else (repository, address)
        result[name] = _with_credentials(root, name, url.rstrip("/"))
    return result


def _stands_for(mirror_of: str, repository: str) -> bool:
    parts = [part.strip() for part in mirror_of.split(",")]
    if f"!{repository}" in parts:
        return False
    return any(fnmatch.fnmatch(repository, part) for part in parts if not part.startswith("external:")) or "external:*" in parts


def _with_credentials(root: ElementTree.Element, name: str, url: str) -> str:
    for server in root.findall("servers/server"):
        user, password = server.findtext("username"), server.findtext("password")
        if server.findtext("id") == name and user and password and not password.startswith("{"):
            parts = urlsplit(url)
            return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{parts.netloc.rpartition('@')[2]}"))
    return url
