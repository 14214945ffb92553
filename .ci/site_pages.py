"""MkDocs hooks: pages whose text stands outside of docs/, the API reference, links between them, and the proof that a site works offline.

Links in the Markdown files are those of the repository, so that they work in a checkout and on a code host. Here they become the site's.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: file of the repository → page of the site; what is under docs/ keeps its place
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE": "LICENSE.txt",
    "infra/README.md": "infra.md",
    "assay/contracts/policies/features.md": "features.md",
    "assay/contracts/policies/rules.md": "rules.md",
}
#: page of the API reference → packages and modules of assay on it
API = {
    "client": ("client",),
    "testing": ("testing_simulation", "testing_substrate"),
    "contracts": ("contracts",),
    "codecs": ("codecs",),
    "tables": ("tables",),
    "agents": ("agents",),
    "engine": ("engine",),
}
#: stands where a file of the repository has a picture in Mermaid
NO_PICTURE = "*This site works offline and shows the picture as text. A code host draws it.*\n"
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(?=[)#])")
_MERMAID = re.compile(r"^```mermaid\n.*?^```\n", re.MULTILINE | re.DOTALL)
#: what a browser would fetch from another machine
_REMOTE = re.compile(
    r"""<(?:script|img|iframe|source)[^>]+src=["']?(?:https?:)?//|<link[^>]+rel=["']?(?:stylesheet|preconnect|icon)[^>]+href=["']?(?:https?:)?//|url\(["']?https?://|@import\s+["']?https?://"""
)


def on_config(config):
    """All decisions are in the navigation, in order, folded away."""
    pages = ["decisions/index.md", {"All decisions": [f"decisions/{path.name}" for path in decisions()]}]
    config.nav = [{"Decisions": pages} if entry == {"Decisions": "decisions/"} else entry for entry in config.nav]
    return config


def on_files(files, config):
    """Add the pages that are not in docs/."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, "decisions/index.md", content=decisions_page()))
    for source, page in OUTSIDE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    for name, packages in API.items():
        files.append(File.generated(config, f"api/{name}.md", content=api_page(name, packages)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Links as the site needs them. A picture in Mermaid gives way to a note: a browser would fetch the script that draws it."""
    if page.file.generated_by and page.file.src_uri not in OUTSIDE.values():
        return markdown
    source = next((source for source, site in OUTSIDE.items() if site == page.file.src_uri), f"docs/{page.file.src_uri}")
    return linked(_MERMAID.sub(NO_PICTURE, markdown), source)


def on_post_build(config):
    """Refuse a site that would load anything from elsewhere."""
    from mkdocs.exceptions import PluginError

    found = remote(Path(config.site_dir))
    if found:
        raise PluginError("the site would load files from other machines:\n  " + "\n  ".join(found))


def decisions():
    """Files of the decisions, in order of their numbers."""
    return sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))


def decisions_page():
    """A list of all decisions by title."""
    titles = [(path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# "), path.name) for path in decisions()]
    return "# Decisions\n\nA choice that somebody will ask about, half a page each.\n\n" + "".join(
        f"- [{title}]({name})\n" for title, name in titles
    )


def api_page(name, packages):
    """A page that shows every public module of packages, by name."""
    modules = [module for package in packages for module in modules_of(package)]
    shown = "\n\n".join(f"::: {module}" for module in modules)
    return f"# assay.{name}\n\n{shown}\n"


def modules_of(package):
    """Dotted names of a module, or of all modules of a package that say something about themselves."""
    folder = ROOT / "assay" / package
    paths = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths if not path.name.startswith("_")]


def linked(markdown, source):
    """The text of a file of the repository with its links to other files as links between pages."""
    here = posixpath.dirname(page_of(source))

    def link(match):
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[1]))
        return posixpath.relpath(page_of(target), here or ".")

    parts, at = [], 0
    for fence in _FENCE.finditer(markdown):  # what stands in a block of code is no link
        parts += [_LINK.sub(link, markdown[at : fence.start()]), fence[0]]
        at = fence.end()
    return "".join([*parts, _LINK.sub(link, markdown[at:])])


def page_of(source):
    """The page a file of the repository becomes; a file that becomes none keeps its name, and MkDocs says that it is missing."""
    return "decisions/index.md" if source == "docs/decisions" else OUTSIDE.get(source, source.removeprefix("docs/"))


def remote(site):
    """Files of a built site with the first thing each would fetch from another machine."""
    found = []
    for path in sorted(site.rglob("*")):
        if path.suffix in (".html", ".css"):
            match = _REMOTE.search(path.read_text(encoding="utf-8"))
            if match:
                found.append(f"{path.relative_to(site)}: {match[0]}")
    return found
