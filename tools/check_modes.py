#!/usr/bin/env python3
"""Fails when a mode or a case is not built in, or has no test: check_modes.py [SOURCE_ROOT].

Each modes/catalogue/NAME.json needs its line in modes/meson.build and a row 'NAME': 'program' in
mode_tests of tests/e2e/meson.build; the program is among e2e_tests, and test_program.c has "NAME" as
a text. Each modes/cases/NAME.json needs its line there, and its name in a test there, too; each
modes/suites/NAME.json its line.
meson runs this when it sets a build up, so that a mode without a test is never built.
"""
import re
import sys
from pathlib import Path


def table(text, name, brackets):
    """What is between the brackets of `name = `."""
    found = re.search(rf"\b{name}\s*=\s*(?:files)?{brackets[0]}(.*?){brackets[1]}", text, re.DOTALL)
    if not found:
        sys.exit(f"tests/e2e/meson.build: no {name}")
    return found[1]


def complaints(root):
    """One text for each mistake."""
    tests = root / "tests" / "e2e"
    text = re.sub(r"#.*", "", (tests / "meson.build").read_text())
    programs = set(re.findall(r"'([^']+)'", table(text, "e2e_tests", (r"\[", r"\]"))))
    rows = dict(re.findall(r"'([^']+)'\s*:\s*'([^']+)'", table(text, "mode_tests", (r"\{", r"\}"))))
    sources = {p: (tests / f"test_{p}.c").read_text() for p in programs}

    built_in = (root / "modes" / "meson.build").read_text()
    modes = sorted(path.stem for path in (root / "modes" / "catalogue").glob("*.json"))
    for name in modes:
        if f"'catalogue/{name}.json'" not in built_in:
            yield f"modes/catalogue/{name}.json is not in modes/meson.build"
        if name not in rows:
            yield (f"modes/catalogue/{name}.json has no test: tests/e2e/meson.build names none in "
                   "mode_tests")
        elif rows[name] not in programs:
            yield f"tests/e2e/meson.build: mode_tests: {rows[name]} is not among e2e_tests"
        elif f'"{name}"' not in sources[rows[name]]:
            yield f'tests/e2e/test_{rows[name]}.c does not test "{name}"'
    for name in sorted(set(rows) - set(modes)):
        yield f"tests/e2e/meson.build: mode_tests has {name}, which is no mode"

    for path in sorted((root / "modes" / "cases").glob("*.json")):
        if f"'cases/{path.name}'" not in built_in:
            yield f"modes/cases/{path.name} is not in modes/meson.build"
        if not any(f'"{path.stem}"' in source for source in sources.values()):
            yield f"modes/cases/{path.name} has no test: no program of tests/e2e names it"
    for path in sorted((root / "modes" / "suites").glob("*.json")):
        if f"'suites/{path.name}'" not in built_in:
            yield f"modes/suites/{path.name} is not in modes/meson.build"
    if not modes:
        yield f"{root}: no modes found"


def main():
    """Prints what is missing."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    found = list(complaints(root))
    print("\n".join(found), file=sys.stderr)
    sys.exit(1 if found else 0)


main()
