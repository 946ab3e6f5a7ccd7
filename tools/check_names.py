#!/usr/bin/env python3
"""Fails when a global symbol has no prefix of its own: check_names.py LIBRARY...

Each LIBRARY is a static one of server/, of which each folder has one that must be there. A symbol begins with the name of its file (server/wire/tap.c:
tap_...) or of its folder (wire_...), or with one of the prefixes that PREFIXES has for the file or for
its folder. What the linker sees of a file is looked at, so statics may have short names.
"""
import os
import pathlib
import re
import subprocess
import sys

PREFIXES = {
    # Folders.
    "admin": ["call", "calls"],
    "cli": ["command"],
    "engine": ["h1", "h2", "mhd"],
    "mode": ["step"],
    "verdict": ["check"],
    # Files whose words are those of a struct, or of an enum, in their header.
    "base/gateway.c": ["gateways"],
    "base/refusal.c": ["refuse"],
    "base/timer.c": ["timers"],
    "certs/names.c": ["name"],
    "cli/prove_command.c": ["proving"],
    "cli/prove_elsewhere.c": ["place"],
    "cli/prove_inside.c": ["place"],
    "cli/prove_report.c": ["prove_results"],
    "engine/protocol.c": ["protocols"],
    "engine/request.c": ["header"],
    "mode/program.c": ["trigger"],
    "mode/sequence.c": ["steps"],
    "mode/triggers.c": ["trigger", "rule"],
    "mode/values.c": ["value"],
    "verdict/anonymous.c": ["silence", "silences"],
    "verdict/attempts.c": ["attempt", "history"],
    "verdict/connections.c": ["connection", "history"],
    "verdict/expect.c": ["expected"],
    "verdict/expect_rows.c": ["expect", "expected"],
    "verdict/faults.c": ["history"],
    "verdict/finding.c": ["found", "ids", "remedy"],
    "verdict/history.c": ["record"],
    "verdict/judge.c": ["history"],
    "verdict/kinds.c": ["kind"],
    "verdict/presumed.c": ["attempt", "history"],
    "verdict/requests.c": ["attempt", "history"],
    "verdict/rows.c": ["check", "mitigation"],
    "verdict/scene.c": ["call", "subject", "found", "finding"],
    # A function of libc that is replaced.
    "engine/mhd_loop.c": ["setsockopt"],
    # What is made of data, with the name of the rule in server/meson.build.
    "case_data.c": ["case_files"],
    "catalogue_data.c": ["catalogue_files"],
    "suite_data.c": ["suite_files"],
}


def symbols(library):
    """Its objects' names and the global symbols that each defines."""
    out = subprocess.run(["nm", "--defined-only", "--extern-only", library], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    member = None
    for line in out.splitlines():
        if line.endswith(".o:"):
            member = os.path.basename(line[:-1]).removesuffix(".o")
        elif line.strip() and not line.split()[-1].startswith("_"):  # sanitizers have such
            yield member, line.split()[-1]


def source(layer, member):
    """The object's source below server/; of a generated one the name alone."""
    made = re.fullmatch(r"meson-generated_\.\._(.*)", member)
    return made[1] if made else re.sub(rf"^{layer}_", f"{layer}/", member)


SERVER = pathlib.Path(__file__).resolve().parent.parent / "server"


def layer_of(library):
    return re.sub(r"^lib|\.a$", "", os.path.basename(library))


def main():
    layers = {folder.name for folder in SERVER.iterdir() if folder.is_dir()}
    left_out = layers - {layer_of(library) for library in sys.argv[1:]}
    wrong, count = [f"server/{layer}: its library was not given" for layer in sorted(left_out)], 0
    for library in sys.argv[1:]:
        layer = layer_of(library)
        for member, symbol in symbols(library):
            path = source(layer, member)
            stem = os.path.basename(path).removesuffix(".c")
            allowed = [stem, layer, *PREFIXES.get(layer, []), *PREFIXES.get(path, [])]
            count += 1
            if not any(symbol == prefix or symbol.startswith(prefix + "_") for prefix in allowed):
                wrong.append(f"{path}: {symbol} begins with none of {', '.join(allowed)}")
    for line in wrong:
        print(line)
    if not count:
        print("no symbols found")
    sys.exit(1 if wrong or not count else 0)


main()
