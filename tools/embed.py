#!/usr/bin/env python3
"""Writes a C file that holds the given files as a table: embed.py OUTPUT INPUT..."""
import sys
from pathlib import Path


def c_string(text):
    """One C string literal a line of the text."""
    lines = []
    for line in text.splitlines(keepends=True):
        quoted = line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        lines.append(f'    "{quoted}"')
    return "\n".join(lines)


def main():
    output, inputs = Path(sys.argv[1]), [Path(p) for p in sys.argv[2:]]
    rows = [f'{{ "{p.stem}",\n{c_string(p.read_text())} }},' for p in sorted(inputs)]
    output.write_text(
        "/* Made by tools/embed.py; do not edit. */\n"
        '#include "modes/catalogue_data.h"\n\n'
        "const struct catalogue_file catalogue_files[] = {\n" + "\n".join(rows) + "\n"
        "{ 0, 0 } };\n"
    )


main()
