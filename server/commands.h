/* commands.h - what the binary can do besides serving. Each returns an exit status. */
#pragma once

/* `hangup modes [NAME | --language | --cases | --case NAME]`: lists the catalogue by group, shows
 * one mode with what it extends, prints what a mode can say as JSON (triggers, steps and their
 * arguments), lists the cases, or shows one. */
int command_modes(int argc, char **argv);

/* `hangup healthcheck [--admin ADDR]`: 0 when the admin API at ADDR (localhost:9000) answers
 * GET /healthz with 200 within 3 seconds, else 1. */
int command_healthcheck(int argc, char **argv);
