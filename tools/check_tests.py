#!/usr/bin/env python3
"""Fails when a unit test is not registered: check_tests.py [SOURCE_ROOT].

Each tests/unit/test_NAME.c needs a row 'NAME': [layers] in the dictionary unit_tests of
tests/unit/meson.build, or it would never be built.
"""
import re
import sys
from pathlib import Path


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    folder = root / "tests" / "unit"
    text = re.sub(r"#.*", "", (folder / "meson.build").read_text())
    table = re.search(r"\bunit_tests\s*=\s*\{(.*?)\}", text, re.DOTALL)
    if not table:
        sys.exit("tests/unit/meson.build: no dictionary unit_tests")
    rows = set(re.findall(r"'([^']+)'\s*:", table[1]))

    files = sorted(folder.glob("test_*.c"))
    missing = [f for f in files if f.stem.removeprefix("test_") not in rows]
    for path in missing:
        print(f"{path.relative_to(root)}: no row in unit_tests of tests/unit/meson.build")
    if not files:
        print(f"{folder}: no unit tests found")
    sys.exit(1 if missing or not files else 0)


main()
