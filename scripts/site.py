"""Hooks of the documentation's site: pages from outside of docs/, and links that lead there.

The README, ARCHITECTURE.md and others stay where people look for them in a repository, and become
pages of the site. A link to any other file of the repository becomes its name alone: the site is
read without the repository. A link that leads nowhere ends the build.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

ROOT = Path(__file__).parents[1]
PAGES = {
    "index.md": "README.md",
    "architecture.md": "ARCHITECTURE.md",
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
    "add-a-cloud.md": "src/roost/providers/README.md",
    "benchmarks.md": "benchmarks/README.md",
    "changelog.md": "CHANGELOG.md",
}
"""Pages of the site, and the files of the repository that they are."""
LINK = re.compile(r"(!?\[[^\]]*\])\(([^)#\s:]+)(#[^)\s]*)?\)")


def on_files(files, config):
    """Add the pages from outside of docs/."""
    from mkdocs.structure.files import File

    for page, source in PAGES.items():
        text = (ROOT / source).read_text()
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown, page, **_):
    """Let links lead to a page of the site where there is one."""
    here = page.file.src_uri
    base = PurePosixPath(PAGES.get(here, f"docs/{here}")).parent
    return LINK.sub(lambda link: _moved(link, here, base), markdown)


def _moved(link: re.Match[str], here: str, base: PurePosixPath) -> str:
    label, target, anchor = link[1], link[2], link[3] or ""
    path = normpath(base / target)
    of_source = {source: name for name, source in PAGES.items()}
    if path in of_source:
        where = relpath(of_source[path], str(PurePosixPath(here).parent))
    elif path.startswith("docs/"):
        where = relpath(path.removeprefix("docs/"), str(PurePosixPath(here).parent))
    elif (ROOT / path).exists():
        return f"{label.strip('![]')} (`{path}` of the repository)"
    else:
        raise ValueError(f"{here}: {target} leads to no file of the repository")
    return f"{label}({where}{anchor})"
