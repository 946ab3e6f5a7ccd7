#!/usr/bin/env python3
"""Writes a C file that holds one file as bytes: embed_bytes.py OUTPUT INPUT HEADER SYMBOL"""
import sys
from pathlib import Path


def main():
    output, source, header, symbol = sys.argv[1:]
    content = Path(source).read_bytes()
    rows = [",".join(map(str, content[i : i + 24])) for i in range(0, len(content), 24)]
    Path(output).write_text(
        "/* Made by tools/embed_bytes.py; do not edit. */\n"
        f'#include "{header}"\n\n'
        f"const unsigned char {symbol}[] = {{\n" + ",\n".join(rows) + "\n};\n"
        f"const size_t {symbol}_len = sizeof {symbol};\n"
    )


main()
