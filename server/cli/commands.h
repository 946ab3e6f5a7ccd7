/* commands.h - the commands of the binary, and how they refuse. */
#pragma once

#include <stdio.h>

#include "base/refusal.h"

#define EXIT_USAGE 2

/* Runs the command that the arguments name. Returns the exit status: EXIT_USAGE, too, when what the
 * command said on stdout could not be written. */
int commands_run(int argc, char **argv);

/* Each gets the arguments behind its name and returns an exit status. */

/* `hangup serve [OPTION ...]` (main.c). */
int command_serve(int argc, char **argv);

/* `hangup modes`: lists the catalogue by group, all of it or what the filters leave, shows one mode
 * with what it extends, prints what a mode can say as JSON (triggers, steps and their arguments),
 * lists the cases, or shows one. */
int command_modes(int argc, char **argv);
void modes_help(FILE *to); /* one line an option; likewise below */

/* `hangup healthcheck [--admin ADDR] [--wait TIME]`: 0 when the admin API at ADDR (localhost:9000)
 * answers GET /healthz with 200 within 3 seconds, or is asked until it does for that long; else
 * 1. */
int command_healthcheck(int argc, char **argv);
void healthcheck_help(FILE *to);

/* `hangup watch [--connection N] [--event E] [--run ID] [URL]`: follows the events of a server's
 * run (URL: its admin API, http://localhost:9000), until SIGINT or SIGTERM. */
int command_watch(int argc, char **argv);
void watch_help(FILE *to);

/* `hangup verdict FILE` (verdict.c lists its options): judges a saved ledger, shows the verdict,
 * and writes reports. 0: proved, 1: not, 3: inconclusive. */
int command_verdict(int argc, char **argv);
void verdict_help(FILE *to);

/* `hangup prove` and `hangup audit` (prove_options.c lists what they take): start COMMAND with a
 * server that misbehaves, and say whether its client does what is expected; what it does. Return 0,
 * EXIT_USAGE, or as prove_report.h and docs/prove.md say. */
int command_prove(int argc, char **argv);
int command_audit(int argc, char **argv);

/* `hangup prove --list`, and --explain of this check or mitigation (NULL: the list). */
int command_checks(const char *explain);

/* Prints "hangup COMMAND: ..." on stderr, one line. Return EXIT_USAGE. */
int command_error(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same for a function's error: positive with *why, or -errno. */
int command_refused(const char *command, int error, const struct refusal *why);
/* Of what could not be written to stdout (-errno). Returns EXIT_USAGE. */
int command_unwritten(const char *command, int error);
