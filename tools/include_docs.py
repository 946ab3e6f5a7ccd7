#!/usr/bin/env python3
"""Draws who includes whom into docs/architecture.md, from the sources: include_docs.py [--check].

A box is a folder of server/, an arrow says that files of the one include headers of the other. Where
a way through other boxes leads there, too, the arrow is left out. With --check nothing is written;
the exit status says whether the drawing is up to date.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- tools/include_docs.py: begin -->\n", "<!-- tools/include_docs.py: end -->\n"
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"/]+)[/"]', re.MULTILINE)


def box(name):
    """The name of a folder's box; server.c and server.h, which are in none, have one together."""
    return "server.c" if name.startswith("server.") else name


def edges():
    """Pairs of folders of which the first includes headers of the second; and all folders."""
    found, folders = set(), set()
    for path in sorted((ROOT / "server").rglob("*.[ch]")):
        folder = path.relative_to(ROOT / "server").parts[0]
        folder = box(folder)
        folders.add(folder)
        targets = {box(name) for name in INCLUDE.findall(path.read_text(encoding="utf-8"))}
        found |= {(folder, target) for target in targets - {folder}}
    return found, folders


def reaches(found, start, goal, without):
    """Whether a way leads from start to goal that does not take the edge `without`."""
    seen, ways = set(), [start]
    while ways:
        at = ways.pop()
        for (source, target) in found:
            if source != at or (source, target) == without or target in seen:
                continue
            if target == goal:
                return True
            seen.add(target)
            ways.append(target)
    return False


def drawing():
    """The text between the marks."""
    found, folders = edges()
    lines = ["```mermaid", "flowchart TD"]
    lines += [f"    {folder}" for folder in sorted(folders)]
    lines += [f"    {source} --> {target}" for source, target in sorted(found)
              if not reaches(found, source, target, (source, target))]
    return "\n".join([*lines, "```", ""])


def main():
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    made = before + BEGIN + drawing() + END + rest.split(END)[1]
    if "--check" not in sys.argv[1:]:
        DOCUMENT.write_text(made, encoding="utf-8")
    elif made != text:
        sys.exit("docs/architecture.md: the drawing of the includes is stale; run tools/include_docs.py")


main()
