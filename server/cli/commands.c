/* commands.c - which commands there are, help, and how a command refuses. */
#include "cli/commands.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "cli/options.h"
#include "cli/prove_options.h"
#include "cli/standard.h"

/* --- Refusing */

int command_error(const char *command, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "hangup%s%s: ", *command ? " " : "", command);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return EXIT_USAGE;
}

int command_refused(const char *command, int error, const struct refusal *why)
{
    char meant[sizeof why->meant + 64] = "";
    size_t used = 0;
    if (error <= 0)
        return command_error(command, "%s", strerror(-error));
    for (size_t i = 0; i < SUGGEST_MAX && why->meant[i][0]; i++)
        used += (size_t)snprintf(meant + used, sizeof meant - used, "%s%s",
                                 i ? " or " : "; did you mean ", why->meant[i]);
    return command_error(command, "%s%s%s%s%s%s%s", why->where, *why->where ? ": " : "", why->what,
                         *why->allowed ? "; allowed: " : "", why->allowed, meant,
                         *meant ? "?" : "");
}

int command_unwritten(const char *command, int error)
{
    return command_error(command, "stdout cannot be written: %s", strerror(-error));
}

/* --- The commands */

static int command_help(int argc, char **argv);

static int command_version(int argc, char **argv)
{
    if (argc > 0)
        return command_error("--version", "%s: it takes no arguments", argv[0]);
    puts("hangup " HANGUP_VERSION);
    return 0;
}

static const struct command {
    const char *name, *arguments, *about;
    int (*run)(int argc, char **argv);
    void (*more)(FILE *to); /* further lines of its help, or NULL */
} commands[] = {
    { "serve", "[OPTION ...]", "serve, and misbehave as told", command_serve, options_help },
    { "modes", "[NAME|--language]", "list the modes, show one, or the language", command_modes,
      modes_help },
    { "modes", "[--group G] [--over h1|h2] [--exercises M]", "list some of them", command_modes,
      NULL },
    { "modes", "--cases|--case NAME", "list the cases from real reports, or show one",
      command_modes, NULL },
    { "modes", "--suites|--suite NAME", "list the suites, or show one", command_modes, NULL },
    { "healthcheck", "[--admin ADDR] [--wait TIME]", "exit 0 when a server's admin API answers",
      command_healthcheck, healthcheck_help },
    { "verdict", "FILE [OPTION ...]", "judge a saved ledger", command_verdict, verdict_help },
    { "prove", "[CASE|--mode M|--plan FILE|--suite S] [OPTION ...] -- COMMAND ...",
      "make COMMAND's HTTP client meet a fault, and say whether it copes", command_prove,
      prove_options_help },
    { "audit", "[CASE|--mode M|--plan FILE|--suite S] [OPTION ...] -- COMMAND ...",
      "say what COMMAND's HTTP client does in each situation", command_audit,
      prove_options_audit_help },
    { "watch", "[--connection N] [--event E] [--run ID] [URL]",
      "follow what happens on a server, by its admin API (http://localhost:9000)", command_watch,
      watch_help },
    { "help", "[COMMAND]", "print this, or what a command takes", command_help, NULL },
    { "--version", "", "print the version", command_version, NULL },
};
#define COMMANDS (sizeof commands / sizeof *commands)

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int unknown(const char *name)
{
    struct refusal why;
    struct suggestions meant = { .word = name };
    for (size_t i = 0; i < COMMANDS; i++)
        if (i == 0 || strcmp(commands[i].name, commands[i - 1].name) != 0)
            suggest_offer(&meant, commands[i].name);
    if (*name == '-')
        refuse(&why, name, "a command first", "as an option of serve it is `hangup serve %s`",
               name);
    else
        refuse(&why, name, "what `hangup help` lists", "there is no such command");
    refuse_meant(&why, &meant);
    return command_refused("", 1, &why);
}

/* --- Help */

static void usage(FILE *to, const struct command *c)
{
    fprintf(to, "  hangup %s%s%s\n      %s\n", c->name, *c->arguments ? " " : "", c->arguments,
            c->about);
}

/* One command's lines. */
static int help_on(const char *name)
{
    const struct command *found = find(name);
    if (!found)
        return unknown(name);
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            usage(stdout, &commands[i]);
    if (found->more) {
        putchar('\n');
        found->more(stdout);
    }
    return 0;
}

static int command_help(int argc, char **argv)
{
    if (argc > 0 && !is_help(argv[0]))
        return help_on(argv[0]);
    puts("hangup - a test server that hangs up on its clients, exactly as told\n");
    for (size_t i = 0; i < COMMANDS; i++)
        usage(stdout, &commands[i]);
    puts("\nOptions of serve:");
    options_help(stdout);
    return 0;
}

static int run(int argc, char **argv)
{
    if (argc < 2)
        return command_error("", "a command is missing: serve, prove, audit, watch, modes or "
                                 "healthcheck; `hangup help` says more");
    if (is_help(argv[1]))
        return command_help(0, NULL);
    const struct command *found = find(argv[1]);
    if (!found)
        return unknown(argv[1]);
    for (int i = 2; i < argc; i++)
        if (is_help(argv[i]))
            return help_on(argv[1]);
    return found->run(argc - 2, argv + 2);
}

int commands_run(int argc, char **argv)
{
    int status = run(argc, argv), error = standard_flush();
    if (error && status == 0)
        return command_unwritten(argc > 1 ? argv[1] : "", error);
    return status;
}
