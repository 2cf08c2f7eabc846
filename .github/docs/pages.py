"""Collect the pages of the site from all over the repository, without copies of them in git.

A page keeps its place (weights/README.md becomes weights/index.html), so that links between pages
are the same here and on GitHub. A file that a page links to is copied beside it, a tutorial becomes
a page, and every public module gets one.
"""

import re
from pathlib import Path

import griffe
import nbconvert
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def on_files(files, config):
    """Add the pages, what they link to, the tutorials and the reference; MkDocs calls this."""
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("*/README.md"))]
    pages.append(ROOT / "examples" / "tables.md")
    for pattern in ("examples/*/**/README.md", "tests/*/**/README.md", "weights/*/README.md"):
        pages += sorted(ROOT.glob(pattern))
    tutorials = sorted((ROOT / "examples" / "tutorials").glob("*.ipynb"))
    linked = {file for page in pages for file in links(page)}
    for path in [*pages, *sorted(linked.difference(pages, tutorials))]:
        files.append(File.generated(config, place(path), abs_src_path=str(path)))
    for notebook in tutorials:
        add_tutorial(files, config, notebook)
    reference = {f"reference/{module.path}.md": module for module in public_modules()}
    for page, module in reference.items():
        files.append(File.generated(config, page, content=reference_page(module)))
    examples = [place(page) for page in pages if page.is_relative_to(ROOT / "examples")]
    weights = [place(page) for page in pages if page.is_relative_to(ROOT / "weights")]
    tests = [place(page) for page in pages if page.is_relative_to(ROOT / "tests")]
    config.nav = [
        {"keras-acl": "README.md"},
        {"Tutorials": [place(notebook.with_suffix(".md")) for notebook in tutorials]},
        {"Reference": list(reference)},
        {"Examples": examples},
        {"Weights": weights},
        {"Contributing": ["keras_acl/README.md", *tests]},
        {"Changelog": "CHANGELOG.md"},
    ]
    return files


def on_page_markdown(markdown, page, config, files):
    """Turn links to tutorials into links to their pages; MkDocs calls this for every page."""
    return markdown.replace(".ipynb)", ".md)")


def place(path: Path) -> str:
    """Where a file is in the repository, and in the site."""
    return path.relative_to(ROOT).as_posix()


def links(page: Path) -> set[Path]:
    """The repository's files that a page links to."""
    found = LINK.findall(page.read_text(encoding="utf-8"))
    paths = {(page.parent / link).resolve() for link in found if "://" not in link}
    return {path for path in paths if path.is_file()}


def add_tutorial(files, config, notebook: Path) -> None:
    """Add a notebook as a page, with the outputs and the pictures that are in it."""
    text, resources = nbconvert.MarkdownExporter().from_filename(str(notebook))
    files.append(File.generated(config, place(notebook.with_suffix(".md")), content=text))
    for name, picture in resources["outputs"].items():
        files.append(File.generated(config, place(notebook.parent / name), content=picture))


def public_modules() -> list[griffe.Module]:
    """The package and those of its public names that are modules, each with a page."""
    package = griffe.load("keras_acl", search_paths=[ROOT])
    named = [package[name] for name in package.exports]
    return [package, *(each for each in named if each.is_module and not hides(each))]


def reference_page(module: griffe.Module) -> str:
    """Every public name of a module.

    Griffe takes `lateral_fusion` for the file of that name: such functions are added.
    """
    text = f"# {module.path}\n\n::: {module.path}\n"
    for name in module.exports:
        if hides(module[name]):
            text += f"\n::: {module[name].canonical_path}.{name}\n"
            text += "    options: {show_root_heading: true, show_root_toc_entry: true}\n"
    return text


def hides(member: griffe.Object) -> bool:
    """Whether a public name is that of a function, and of the file that holds it."""
    return member.is_module and member.name in member.members
