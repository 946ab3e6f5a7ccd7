#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

int64_t clock_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_slept(void)
{
    int64_t before, booted, now;
    do { /* again, if another process ran between the two clocks */
        before = clock_now();
        booted = read_clock(CLOCK_BOOTTIME);
        now = clock_now();
    } while (now - before > NS_PER_MS);
    return booted - now;
}

int64_t clock_wall(int64_t monotonic)
{
    if (monotonic == TIME_NONE)
        return TIME_NONE;
    int64_t now = clock_now();
    return read_clock(CLOCK_REALTIME) - (now - monotonic);
}

/* Splits a wall time into calendar fields; returns the nanoseconds within the second. */
static int64_t calendar(int64_t wall, struct tm *tm)
{
    time_t seconds = wall / NS_PER_S;
    int64_t rest = wall % NS_PER_S;
    if (rest < 0) {
        seconds--;
        rest += NS_PER_S;
    }
    gmtime_r(&seconds, tm);
    return rest;
}

/* The fields of a date, kept in range for the compiler's sake: int64_t nanoseconds span 1677-2262.
 */
#define YEAR(tm)   ((unsigned)((tm).tm_year + 1900) % 10000)
#define MONTH(tm)  ((unsigned)((tm).tm_mon + 1) % 100)
#define DAY(tm)    ((unsigned)(tm).tm_mday % 100)
#define HOUR(tm)   ((unsigned)(tm).tm_hour % 100)
#define MINUTE(tm) ((unsigned)(tm).tm_min % 100)
#define SECOND(tm) ((unsigned)(tm).tm_sec % 100)

size_t clock_rfc3339(int64_t wall, char out[CLOCK_RFC3339_SIZE])
{
    struct tm tm;
    unsigned us = (unsigned)(calendar(wall, &tm) / NS_PER_US) % 1000000;
    return (size_t)snprintf(out, CLOCK_RFC3339_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ",
                            YEAR(tm), MONTH(tm), DAY(tm), HOUR(tm), MINUTE(tm), SECOND(tm), us);
}

bool clock_read_rfc3339(const char *text, int64_t *wall)
{
    struct tm tm = { 0 };
    int us, end = 0;
    char again[CLOCK_RFC3339_SIZE];
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%6dZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
               &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &us, &end) != 7 ||
        end != CLOCK_RFC3339_SIZE - 1 || tm.tm_year < 1970 || tm.tm_year > 2261)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon--;
    int64_t time = timegm(&tm) * NS_PER_S + us * NS_PER_US;
    clock_rfc3339(time, again); /* the same, if it was a date, with digits alone */
    if (strcmp(again, text) != 0)
        return false;
    *wall = time;
    return true;
}

size_t clock_imf(int64_t wall, char out[CLOCK_IMF_SIZE])
{
    static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    struct tm tm;
    calendar(wall, &tm);
    return (size_t)snprintf(out, CLOCK_IMF_SIZE, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
                            days[tm.tm_wday], DAY(tm), months[tm.tm_mon], YEAR(tm), HOUR(tm),
                            MINUTE(tm), SECOND(tm));
}
