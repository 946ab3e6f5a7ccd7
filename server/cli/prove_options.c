#include "cli/prove_options.h"

#include <stddef.h>
#include <string.h>

#include "base/clock.h"

#define TIMEOUT (10 * 60 * NS_PER_S)

#define PLACE(member) offsetof(struct prove_options, member)

/* Those from EXPECT on are prove's alone. */
static const struct option_row rows[] = {
    { "--mode", "NAME[;k=v]", "the fault: a mode", OPTION_TEXT, PLACE(mode) },
    { "--plan", "FILE", "the fault: a plan, JSON", OPTION_TEXT, PLACE(plan) },
    { "--suite", "NAME|FILE", "many of them: a suite; `hangup modes --suites` lists them",
      OPTION_TEXT, PLACE(suite) },
    { "--over", "h1|h2|both", "the protocol that is offered; both: a row for each", OPTION_WORD,
      PLACE(over) },
    { "--no-control", NULL, "leave out the control: COMMAND without the fault, first", OPTION_FLAG,
      PLACE(no_control) },
    { "--time-scale", "FACTOR", "multiplies every duration of a mode (1)", OPTION_SCALE,
      PLACE(time_scale) },
    { "--seed", "N", "decides what the probabilities of a plan draw", OPTION_NUMBER, PLACE(seed) },
    { "--timeout", "TIME", "for COMMAND each time; then all of it is killed (10m)", OPTION_SPAN,
      PLACE(timeout) },
    { "--settle", "TIME",
      "how long behind COMMAND to wait for what is not final yet (11s, or as expected)",
      OPTION_SPAN, PLACE(settle) },
    { "--server", "URL", "use this server (its admin API), not one inside", OPTION_TEXT,
      PLACE(server) },
    { "--listen", "HOST", "the address to listen on (127.0.0.1)", OPTION_TEXT, PLACE(listen) },
    { "--ports", "FIRST-LAST", "the ports to listen on (any free ones)", OPTION_TEXT,
      PLACE(ports) },
    { "--advertise", "HOST", "the host of the URLs that COMMAND gets: 10.0.2.2 for an emulator",
      OPTION_TEXT, PLACE(advertise) },
    { "--no-trust-env", NULL, "do not set SSL_CERT_FILE, NO_PROXY and the like for COMMAND",
      OPTION_FLAG, PLACE(no_trust) },
    { "--key-header", "NAME", "a header field by which a call is known; may be repeated",
      OPTION_FIELD_NAMES, PLACE(key_headers) },
    { "--relayed", NULL, "COMMAND's client comes by a relay, so that an ACK shows nothing about it",
      OPTION_FLAG, PLACE(relayed) },
    { "--modes", "DIR", "more modes, one JSON file each", OPTION_TEXT, PLACE(modes_dir) },
    { "--stubs", "DIR", "serve this file tree beside the entitlement endpoint", OPTION_TEXT,
      PLACE(stubs_dir) },
    { "--state", "DIR", "where certificates are kept ($XDG_STATE_HOME/hangup)", OPTION_TEXT,
      PLACE(state_dir) },
    { "--json", NULL, "the result on stdout as one JSON object; COMMAND's stdout goes to stderr",
      OPTION_FLAG, PLACE(json) },
    { "--ledger", "FILE", "write the ledger there, for `hangup verdict`", OPTION_TEXT,
      PLACE(ledger) },
    { "--ledger-dir", "DIR", "write the ledger of each row and round to a file there", OPTION_TEXT,
      PLACE(ledger_dir) },
#define EXPECT 22
    { "--expect", "NAME[;k=v]", "a check or mitigation; may be repeated; --list has them",
      OPTION_TEXTS, PLACE(expect) },
    { "--without", "COMMAND",
      "the same with the mitigation off (sh -c), to tell whose merit it is; "
      "HANGUP_MITIGATION=off: COMMAND itself, told so",
      OPTION_TEXT, PLACE(without) },
    { "--repeat", "N", "so many times, each a fresh run (1)", OPTION_COUNT, PLACE(repeat) },
    { "--until-conclusive", "N",
      "while it is inconclusive do it again, each a fresh run; N times in all at most",
      OPTION_COUNT, PLACE(until) },
    { "--junit", "FILE", "write JUnit XML there", OPTION_TEXT, PLACE(junit) },
    { "--html", "FILE", "write a page there", OPTION_TEXT, PLACE(html) },
    { "--markdown", "FILE", "append Markdown there, as for a job summary", OPTION_TEXT,
      PLACE(markdown) },
    { "--allow-inconclusive", NULL, "exit with 0 when nothing fails and something is inconclusive",
      OPTION_FLAG, PLACE(lenient) },
    { "--keep-ledger-on-fail", NULL,
      "write the ledgers of what is not proved: to --ledger-dir, or the current folder",
      OPTION_FLAG, PLACE(keep_ledger) },
    { "--annotations", "github|none",
      "an annotation for what is not proved (github where GITHUB_ACTIONS is \"true\")", OPTION_WORD,
      PLACE(annotations) },
    { "--list", NULL, "list the checks and mitigations", OPTION_FLAG, PLACE(list) },
    { "--explain", "NAME", "explain one of them", OPTION_TEXT, PLACE(explain) },
};
#define ROWS (sizeof rows / sizeof *rows)

static const struct option_table prove = { rows, ROWS, "hangup help prove" };
static const struct option_table audit = { rows, EXPECT, "hangup help audit" };

void prove_options_help(FILE *to)
{
    option_help(&prove, to);
}

void prove_options_audit_help(FILE *to)
{
    option_help(&audit, to);
}

/* --- What cannot be said together */

static int check_what(const struct prove_options *o, bool audits, struct refusal *why)
{
    int named = (o->what != NULL) + (o->mode != NULL) + (o->plan != NULL) + (o->suite != NULL);
    if (named > 1)
        return refuse(why,
                      o->suite  ? "--suite"
                      : o->plan ? "--plan"
                                : "--mode",
                      "one of CASE, --mode, --plan and --suite", "it cannot go with another fault");
    if (named == 0 && !audits)
        return refuse(why, "CASE", "a case (`hangup modes --cases`), --mode, --plan or --suite",
                      "there is no fault to prove anything by");
    return 0;
}

static int check_server(const struct prove_options *o, struct refusal *why)
{
    static const char inside[] = "options of the server that is used";
    const struct {
        const char *name;
        bool given;
    } rows_inside[] = {
        { "--listen", o->listen },       { "--ports", o->ports },
        { "--advertise", o->advertise }, { "--modes", o->modes_dir },
        { "--stubs", o->stubs_dir },     { "--state", o->state_dir },
        { "--relayed", o->relayed },     { "--key-header", o->key_headers.count },
    };
    for (size_t i = 0; o->server && i < sizeof rows_inside / sizeof *rows_inside; i++)
        if (rows_inside[i].given)
            return refuse(why, rows_inside[i].name, inside, "it cannot go with --server");
    return 0;
}

static int check_rounds(const struct prove_options *o, struct refusal *why)
{
    if (o->suite && o->ledger)
        return refuse(why, "--ledger", "CASE, --mode or --plan with it; --ledger-dir with a suite",
                      "a suite has a ledger for each row");
    if (o->repeat && o->until)
        return refuse(why, "--until-conclusive", "one of the two", "it cannot go with --repeat");
    return 0;
}

static int check(const struct prove_options *o, bool audits, struct refusal *why)
{
    int error = check_what(o, audits, why);
    if (!error)
        error = check_server(o, why);
    if (error)
        return error;
    if (o->no_control && o->without)
        return refuse(why, "--without", "one of the two",
                      "it cannot go with --no-control: the three are compared");
    if (!o->command)
        return refuse(why, "COMMAND", "-- COMMAND [ARGUMENT ...] at the end", "it is missing");
    return check_rounds(o, why);
}

/* Options that tell, and run nothing. */
static int check_alone(const struct prove_options *o, struct refusal *why)
{
    const char *option = o->list ? "--list" : "--explain NAME";
    if (o->list && o->explain)
        return refuse(why, "--explain", "one of the two", "it cannot go with --list");
    if (!o->what && !o->command)
        return 0;
    return refuse(why, o->what ? o->what : "COMMAND",
                  "--explain NAME for what one of them means; else nothing beside it",
                  "%s runs nothing", option);
}

int prove_options_read(const char *name, int argc, char **argv, struct prove_options *out,
                       struct refusal *why)
{
    bool audits = strcmp(name, "audit") == 0;
    const struct option_table *table = audits ? &audit : &prove;
    struct prove_options o = { .timeout = TIMEOUT };
    int at = 0, error = 0;
    while (!error && at < argc && strcmp(argv[at], "--") != 0) {
        if (argv[at][0] == '-' && argv[at][1]) {
            error = option_read(table, argc, argv, &at, &o, why);
        } else if (o.what) {
            error =
                refuse(why, argv[at], "-- before COMMAND", "there is a case already, %s", o.what);
        } else {
            o.what = argv[at++];
        }
    }
    if (!error && at + 1 < argc)
        o.command = argv + at + 1;
    if (!error)
        error = o.list || o.explain ? check_alone(&o, why) : check(&o, audits, why);
    if (!error && !o.repeat)
        o.repeat = 1;
    if (!error)
        *out = o;
    return error;
}
