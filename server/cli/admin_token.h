/* admin_token.h - the bearer token of the admin API, from wherever it was given. */
#pragma once

#include "cli/options.h"

#define ADMIN_TOKEN_MAX 4096

/* Sets o->admin_token, and o->token_source to what gave it, for refusals: --admin-token, the file
 * of
 * --admin-token-file (one line), or else the environment's HANGUP_ADMIN_TOKEN; NULL when there is
 * none. The text lives as long as the process. Returns 0 or BAD_INPUT. */
int admin_token_read(struct options *o, struct refusal *why);
