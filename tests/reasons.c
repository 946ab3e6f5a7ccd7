/* Stands in for cmocka's print_error(), with which a test says what is wrong before it fails, as
 * fail_msg() does: in the output of TAP, where the summary of all tests finds it
 * (tools/count_tests.py). cmocka's own goes to standard error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void __wrap_print_error(const char *const format, ...);
void __wrap_cm_print_error(const char *const format, ...); /* fail_msg()'s in cmocka 1.1.7 */

/* A line of it is one for any reader: another control character is not the end of it. */
static void put(const char *line, size_t len)
{
    printf("# error: ");
    for (size_t i = 0; i < len; i++)
        printf((unsigned char)line[i] < ' ' ? "\\x%02x" : "%c", (unsigned char)line[i]);
    putchar('\n');
}

static void say(const char *format, va_list args)
{
    static const char prefix[] = "ERROR: "; /* of fail_msg() */
    char *text;
    if (vasprintf(&text, format, args) < 0)
        abort();
    const char *line = strncmp(text, prefix, strlen(prefix)) == 0 ? text + strlen(prefix) : text;
    for (size_t n; *line; line += n + (line[n] == '\n')) {
        n = strcspn(line, "\n");
        put(line, n);
    }
    fflush(stdout);
    free(text);
}

void __wrap_print_error(const char *const format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
}

void __wrap_cm_print_error(const char *const format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
}
