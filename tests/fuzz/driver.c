/* driver.c - runs a fuzz target as a test: driver ROUNDS CORPUS..., files or directories. Each
 * input of the corpus as it is, then ROUNDS mutations of them, from a fixed seed. What makes it
 * fail is printed. HANGUP_TEST_SCALE multiplies ROUNDS. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define INPUT_MAX ((size_t)128 * 1024)
#define CHAIN     4 /* mutations on top of each other */

struct input {
    uint8_t *data;
    size_t size;
};

static struct input *inputs;
static size_t count;
static uint8_t work[INPUT_MAX];
static size_t work_size;

static void read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    inputs = realloc(inputs, (count + 1) * sizeof *inputs);
    if (!file || !inputs) {
        perror(path);
        exit(2);
    }
    struct input *in = &inputs[count++];
    in->data = malloc(INPUT_MAX);
    in->size = in->data ? fread(in->data, 1, INPUT_MAX, file) : 0;
    fclose(file);
}

static void read_corpus(const char *path)
{
    struct dirent **entries;
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
        read_file(path);
        return;
    }
    int n = scandir(path, &entries, NULL, alphasort);
    if (n < 0) {
        perror(path);
        exit(2);
    }
    for (int i = 0; i < n; i++) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            read_file(name);
        free(entries[i]);
    }
    free(entries);
}

/* The input on which it went wrong, for the corpus. */
static void died(int number)
{
    static const char text[] = "\nBail out! died on this input:\n";
    if (write(STDOUT_FILENO, text, sizeof text - 1) < 0 ||
        write(STDOUT_FILENO, work, work_size) < 0)
        _exit(3);
    signal(number, SIG_DFL);
    raise(number);
}

static void feed(const uint8_t *data, size_t size)
{
    memmove(work, data, size);
    work_size = size;
    LLVMFuzzerTestOneInput(work, work_size);
}

int main(int argc, char **argv)
{
    const char *scale = getenv("HANGUP_TEST_SCALE");
    double rounds = (argc > 1 ? strtod(argv[1], NULL) : 0) * (scale ? strtod(scale, NULL) : 1);
    for (int i = 2; i < argc; i++)
        read_corpus(argv[i]);
    if (count == 0) {
        fprintf(stderr, "usage: %s ROUNDS CORPUS...\n", argv[0]);
        return 2;
    }
    signal(SIGABRT, died);
    signal(SIGSEGV, died);
    printf("1..2\n");
    for (size_t i = 0; i < count; i++)
        feed(inputs[i].data, inputs[i].size);
    printf("ok 1 - the corpus: %zu inputs\n", count);
    fflush(stdout);
    for (unsigned round = 1; round <= rounds; round++) {
        const struct input *in = &inputs[round % count];
        feed(in->data, in->size);
        for (unsigned k = 0; k < CHAIN; k++) {
            work_size = fuzz_mutate(work, work_size, sizeof work, round * CHAIN + k);
            LLVMFuzzerTestOneInput(work, work_size);
        }
    }
    printf("ok 2 - mutations: %.0f\n", rounds * CHAIN);
    for (size_t i = 0; i < count; i++)
        free(inputs[i].data);
    free(inputs);
    return 0;
}
