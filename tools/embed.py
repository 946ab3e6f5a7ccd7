#!/usr/bin/env python3
"""Writes a C file that holds JSON files as a table: embed.py OUTPUT TABLE INPUT..."""
import sys
from pathlib import Path


def c_bytes(name, content):
    """The content as an array; string literals have a limit that files can exceed."""
    chars = [str(byte - 256 if byte > 127 else byte) for byte in content]
    rows = [",".join(chars[i : i + 24]) for i in range(0, len(chars), 24)]
    return f"static const char {name}[] = {{\n" + "".join(f"{row},\n" for row in rows) + "0 };\n"


def main():
    output, table, inputs = Path(sys.argv[1]), sys.argv[2], sorted(map(Path, sys.argv[3:]))
    arrays = [c_bytes(f"file_{i}", path.read_bytes()) for i, path in enumerate(inputs)]
    rows = [f'    {{ "{path.stem}", file_{i} }},\n' for i, path in enumerate(inputs)]
    output.write_text(
        "/* Made by tools/embed.py; do not edit. */\n"
        '#include "mode/catalogue_data.h"\n\n'
        + "".join(arrays)
        + f"\nconst struct catalogue_file {table}[] = {{\n"
        + "".join(rows)
        + "    { 0, 0 }\n};\n"
    )


main()
