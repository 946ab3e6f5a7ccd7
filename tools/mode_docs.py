#!/usr/bin/env python3
"""Makes docs/modes.md from the mode files: mode_docs.py [--check] [SOURCE_ROOT].

With --check nothing is written; the exit status says whether the document is up to date.
"""
import json
import sys
from pathlib import Path

HEAD = """# Modes

<!-- Made by tools/mode_docs.py from modes/catalogue; do not edit. -->

Each mode is one file in [modes/catalogue](../modes/catalogue). How to write your own:
[writing-modes.md](writing-modes.md). Modes and their parameters are given as JSON
(`{"mode": "idle-close", "params": {"idle": "2s"}}`) or as text (`idle-close;idle=2s`).

| mode | what it does |
|---|---|
"""


def cell(text):
    """Text for a table cell."""
    return text.replace("|", "\\|").replace("\n", " ")


def allowed(param):
    """What values a parameter takes."""
    if param["type"] == "choice":
        return " \\| ".join(f"`{value}`" for value in param["allowed"])
    if param["type"] == "int" and ("min" in param or "max" in param):
        return f"int, {param.get('min', '')}–{param.get('max', '')}"
    return param["type"]


def shown(value):
    """A default as one would write it in the text form."""
    return value if isinstance(value, str) else json.dumps(value)


def step_names(rules):
    """The names of all steps that are used."""
    for rule in rules:
        for step in rule["do"]:
            yield step if isinstance(step, str) else next(iter(step))


def section(mode):
    """The part of the document about one mode."""
    lines = [f"## {mode['name']}", "", mode["summary"], ""]
    lines += [f"- **The client sees:** {mode['client_sees']}", f"- **Basis:** {mode['basis']}"]
    if mode["exercises"]:
        names = ", ".join(f"`{name}`" for name in mode["exercises"])
        lines.append(f"- **Exercises:** {names}")
    if "black_hole" in step_names(mode["rules"]):
        lines.append("- **Needs:** CAP_NET_ADMIN (`docker run --cap-add NET_ADMIN`)")
    if mode["params"]:
        lines += ["", "| parameter | default | allowed | |", "|---|---|---|---|"]
        for name, param in mode["params"].items():
            default = shown(param["default"])
            lines.append(f"| `{name}` | `{default}` | {allowed(param)} | {cell(param['about'])} |")
    return "\n".join(lines) + "\n"


def document(root):
    """The whole text."""
    files = sorted((root / "modes" / "catalogue").glob("*.json"))
    modes = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    rows = [f"| [{mode['name']}](#{mode['name']}) | {cell(mode['summary'])} |" for mode in modes]
    return HEAD + "\n".join(rows) + "\n\n" + "\n".join(section(mode) for mode in modes)


def main():
    """Writes or checks."""
    args = [arg for arg in sys.argv[1:] if arg != "--check"]
    root = Path(args[0]) if args else Path(__file__).resolve().parent.parent
    target, text = root / "docs" / "modes.md", document(root)
    if "--check" not in sys.argv:
        target.write_text(text, encoding="utf-8")
        return 0
    if target.exists() and target.read_text(encoding="utf-8") == text:
        return 0
    print("docs/modes.md is stale: run tools/mode_docs.py", file=sys.stderr)
    return 1


sys.exit(main())
