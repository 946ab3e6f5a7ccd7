/* Verdicts of ledgers that lack something, or say it a little otherwise: what was no pass becomes
 * none, whatever is missing; and what does not matter changes nothing. */
#include "verdict_outcomes.h"

#include "harness/memory.h"

static void no_new_pass(const struct truth *t, const struct outcomes *base,
                        const struct outcomes *now, const char *what, uint64_t at)
{
    if (now->count !=
        base->count) { /* without its event there is no phase fault, or other checks */
        for (size_t i = 0; i < now->count; i++)
            assert_int_not_equal(now->list[i], OUTCOME_PASS);
        return;
    }
    for (size_t i = 0; i < base->count; i++) {
        if (now->list[i] == OUTCOME_PASS && base->list[i] != OUTCOME_PASS && wrong++ < 20)
            print_error("%s: %s %llu: %s passes\n", t->title, what, (unsigned long long)at,
                        base->names[i]);
    }
}

/* Nor does it blame anybody. */
static void no_new_fail(const struct truth *t, const struct outcomes *base,
                        const struct outcomes *now, uint64_t at, uint64_t lacking)
{
    for (size_t i = 0; i < base->count && now->count == base->count; i++) {
        if (now->list[i] == OUTCOME_FAIL && base->list[i] != OUTCOME_FAIL && wrong++ < 20)
            print_error("%s: without %llu events from %llu on: %s fails\n", t->title,
                        (unsigned long long)lacking + 1, (unsigned long long)at, base->names[i]);
    }
}

/* Behind the last one nobody can tell that it is missing. */
static void lacks_some(const struct truth *t, const struct ledger *l, const struct outcomes *base)
{
    /* Without its first event nothing is known of what is expected: the usual checks are done. */
    for (uint64_t seq = 2; seq < ledger_last(l); seq++) {
        for (uint64_t more = 0; more < 8 && seq + more < ledger_last(l); more += 1 + more) {
            const struct feeding f = { .without = seq,
                                       .lacking = more,
                                       .later = t->later * NS_PER_MS };
            struct outcomes now = fed(l, &f);
            no_new_pass(t, base, &now, "without event", seq);
            no_new_fail(t, base, &now, seq, more);
        }
    }
}

static void what_is_missing_makes_no_pass_and_no_fail(void **state)
{
    each_truth(lacks_some);
}

static void is_bounded(const struct truth *t, const struct ledger *l, const struct outcomes *base)
{
    const struct feeding roomy = { .bound = 256, .later = t->later * NS_PER_MS };
    struct outcomes same = fed(l, &roomy);
    assert_int_equal(same.count, base->count);
    assert_memory_equal(same.list, base->list, sizeof same.list);
    assert_memory_equal(same.final, base->final, sizeof same.final);
    for (size_t bound = 1; bound <= 4; bound++) {
        const struct feeding f = { .bound = bound, .later = t->later * NS_PER_MS };
        struct outcomes now = fed(l, &f);
        no_new_pass(t, base, &now, "bounded to", bound);
    }
}

static void the_smallest_bounds_make_no_pass(void **state)
{
    each_truth(is_bounded);
}

static void is_shifted(const struct truth *t, const struct ledger *l, const struct outcomes *base)
{
    static const int64_t by[] = { -NS_PER_MS, NS_PER_MS };
    for (uint64_t seq = 2; seq <= ledger_last(l); seq++) {
        for (int i = 0; i < 2; i++) {
            const struct feeding f = { .shifted = seq, .by = by[i], .later = t->later * NS_PER_MS };
            struct outcomes now = fed(l, &f);
            no_new_pass(t, base, &now, i ? "later: event" : "sooner: event", seq);
        }
    }
}

static void an_event_that_is_shifted_makes_no_pass(void **state)
{
    each_truth(is_shifted);
}

/* --- A gap that took nothing */

/* The script with a line that says nothing before its n-th line; NULL: it has no such line. */
static char *with_line(const char *script, size_t n)
{
    const char *at = script;
    char time[16] = "0.000";
    for (size_t i = 0; i < n; i++) {
        snprintf(time, sizeof time, "%.*s", (int)strcspn(at, " "), at);
        at = strchr(at, '\n');
        if (!at || !*++at)
            return NULL;
    }
    struct buf out = { 0 };
    buf_printf(&out, "%.*s%s warning why=%s\n%s", (int)(at - script), script, time, "empty", at);
    char *text = strndup((const char *)buf_bytes(&out), buf_len(&out));
    buf_free(&out);
    return text;
}

static uint64_t warning_of(const struct ledger *l)
{
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record;
    while (ledger_next(&cursor, &record)) {
        if (record.event == EV_WARNING)
            return record.seq;
    }
    return 0;
}

static void has_gaps(const struct truth *t, const struct ledger *l, const struct outcomes *base)
{
    char *script = rig_run_script(t->expect, t->script), *more;
    for (size_t n = 1; (more = with_line(script, n)); n++) {
        struct ledger *longer = script_ledger(more);
        const struct feeding f = { .without = warning_of(longer), .later = t->later * NS_PER_MS };
        const struct feeding all = { .later = t->later * NS_PER_MS };
        struct outcomes now = fed(longer, &f), same = fed(longer, &all);
        no_new_pass(t, base, &now, "gap before line", n);
        for (size_t i = 0; i < base->count; i++)
            wrong += same.list[i] != base->list[i];
        ledger_destroy(longer);
        free(more);
    }
    free(script);
}

static void a_gap_makes_no_pass(void **state)
{
    each_truth(has_gaps);
}

/* --- What does not matter */

static void says_the_same(const struct truth *t, struct verdict *v, const char *what)
{
    char *base = rig_judge(t), *now = rig_says(v);
    if (strcmp(base, now) != 0 && wrong++ < 20)
        print_error("%s: %s\n#      %s\n# not: %s\n", t->title, what, now, base);
    free(base);
    free(now);
}

/* A ledger as it is saved and loaded again. */
static struct ledger *reloaded(const struct ledger *l)
{
    struct ledger *copy = ledger_create(1 << 24);
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record;
    while (ledger_next(&cursor, &record)) {
        struct buf line = { 0 };
        struct refusal why;
        assert_int_equal(ledger_render(&record, &line), 0);
        if (ledger_load(copy, (const char *)buf_bytes(&line), buf_len(&line), &why) != 0)
            fail_msg("%.*s: %s", (int)buf_len(&line), (const char *)buf_bytes(&line), why.what);
        buf_free(&line);
    }
    return copy;
}

/* A member that a ledger always has, of an event of a script that has not. */
static json_t *usual(enum ledger_field field)
{
    switch (ledger_field_kind(field)) {
    case LEDGER_TEXT:
        return json_string("x");
    case LEDGER_WORD:
        for (int64_t i = 0; i < ledger_word_count(field); i++) {
            if (*ledger_word_name(field, i))
                return json_string(ledger_word_name(field, i));
        }
        return NULL;
    case LEDGER_BOOL:
        return json_false();
    case LEDGER_LIST:
        return json_array();
    case LEDGER_HASH:
        return json_string("0000000000000001");
    case LEDGER_JSON:
        return json_object();
    default:
        return json_integer(1);
    }
}

static bool is_member(const char *members, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = members; (at = strstr(at, name)); at += len) {
        if ((at == members || at[-1] == ' ') && strchr(" ?", at[len]))
            return true;
    }
    return false;
}

static void fill_up(json_t *event, enum ledger_event which)
{
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe(event, next, key, value)
    {
        if (!is_member("seq at ms event cut", key) && !is_member(ledger_event_members(which), key))
            json_object_del(event, key);
    }
    char members[1024], *rest = members, *name;
    snprintf(members, sizeof members, "%s", ledger_event_members(which));
    while ((name = strsep(&rest, " "))) {
        if (!*name || name[strlen(name) - 1] == '?' || json_object_get(event, name))
            continue;
        for (int i = 0; i < F_COUNT; i++) {
            if (strcmp(ledger_field_name((enum ledger_field)i), name) == 0)
                json_object_set_new(event, name, usual((enum ledger_field)i));
        }
    }
}

/* The ledger of a script with all that one has that a server writes. */
static struct ledger *filled_up(const struct ledger *l)
{
    struct ledger *copy = ledger_create(1 << 24);
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record;
    while (ledger_next(&cursor, &record)) {
        struct buf line = { 0 };
        struct refusal why = { 0 };
        assert_int_equal(ledger_render(&record, &line), 0);
        json_t *event = json_loadb((const char *)buf_bytes(&line), buf_len(&line), 0, NULL);
        assert_non_null(event);
        fill_up(event, record.event);
        char *text = json_dumps(event, JSON_COMPACT | JSON_REAL_PRECISION(15));
        if (ledger_load(copy, text, strlen(text), &why) != 0)
            fail_msg("%s: %s: %s", text, why.where, why.what);
        free(text);
        json_decref(event);
        buf_free(&line);
    }
    return copy;
}

static void is_saved(const struct truth *t, const struct ledger *l, const struct outcomes *base)
{
    struct ledger *full = filled_up(l), *copy = reloaded(full);
    struct verdict *v = rig_verdict(), *live = rig_verdict();
    rig_feed_verdict(v, copy);
    rig_feed_verdict(live, full);
    json_t *one = verdict_json(v), *other = verdict_json(live);
    if (!json_equal(one, other) && wrong++ < 20)
        print_error("%s: saved and loaded it is another document\n", t->title);
    json_decref(one);
    json_decref(other);
    verdict_destroy(v);
    verdict_destroy(live);
    ledger_destroy(full);
    ledger_destroy(copy);
}

static void a_saved_ledger_has_the_same_verdict(void **state)
{
    each_truth(is_saved);
}

/* c1 becomes c1001, and what stands in the middle of a word does not. */
static char *renumbered(const char *script)
{
    struct buf out = { 0 };
    for (const char *at = script; *at; at++) {
        bool begins = at == script || at[-1] == ' ' || at[-1] == '\n';
        buf_printf(&out, begins && at[0] == 'c' && at[1] >= '0' && at[1] <= '9' ? "c1%.*s" : "%.*s",
                   begins && at[0] == 'c' && at[1] >= '0' && at[1] <= '9' ? 0 : 1, at);
    }
    char *text = strndup((const char *)buf_bytes(&out), buf_len(&out));
    buf_free(&out);
    return text;
}

static void has_other_ids(const struct truth *t, const struct ledger *l,
                          const struct outcomes *base)
{
    char *script = rig_run_script(t->expect, t->script), *other = renumbered(script);
    struct ledger *copy = script_ledger(other);
    struct verdict *v = rig_verdict();
    struct ledger_cursor cursor = { .ledger = copy };
    struct ledger_record record = { 0 };
    while (ledger_next(&cursor, &record))
        verdict_feed(v, &record);
    verdict_now(v, record.age + rig_later(t));
    says_the_same(t, v, "with other ids");
    verdict_destroy(v);
    ledger_destroy(copy);
    free(script);
    free(other);
}

static void ids_do_not_matter(void **state)
{
    each_truth(has_other_ids);
}

/* It is asked at each event, and not only at the end. */
static void is_asked_often(const struct truth *t, const struct ledger *l,
                           const struct outcomes *base)
{
    struct verdict *v = rig_verdict();
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record = { 0 };
    while (ledger_next(&cursor, &record)) {
        verdict_feed(v, &record);
        verdict_outcome(v, NULL);
        verdict_next(v);
    }
    verdict_now(v, record.age + rig_later(t));
    says_the_same(t, v, "asked often");
    verdict_destroy(v);
}

static void when_it_is_asked_does_not_matter(void **state)
{
    each_truth(is_asked_often);
}

/* Much later it is as it was when it named no time any more. */
static void stays_for_good(const struct truth *t, const struct ledger *l, struct verdict *v,
                           int64_t last)
{
    struct verdict *late = rig_verdict();
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record = { 0 };
    while (ledger_next(&cursor, &record))
        verdict_feed(late, &record);
    verdict_now(late, last + 3600 * NS_PER_S);
    char *now = rig_says(v), *then = rig_says(late);
    wrong += strcmp(now, then) != 0;
    if (strcmp(now, then) != 0)
        print_error("%s: %s, and an hour later %s\n", t->title, now, then);
    free(now);
    free(then);
    verdict_destroy(late);
}

/* Until the time that it names, nothing changes. */
static void waits_for_its_time(const struct truth *t, const struct ledger *l,
                               const struct outcomes *base)
{
    struct verdict *v = rig_verdict();
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record = { 0 };
    while (ledger_next(&cursor, &record))
        verdict_feed(v, &record);
    int64_t at = record.age, next;
    for (int rounds = 0; rounds < 40 && (next = verdict_next(v)) != -1; rounds++) {
        char *now = rig_says(v);
        assert_true(next > at);
        verdict_now(v, next - 1);
        char *before = rig_says(v);
        wrong += strcmp(now, before) != 0;
        if (strcmp(now, before) != 0)
            print_error("%s: %s before its time, not %s\n", t->title, before, now);
        verdict_now(v, at = next);
        free(now);
        free(before);
    }
    assert_int_equal(verdict_next(v), -1);
    stays_for_good(t, l, v, at);
    verdict_destroy(v);
}

static void it_says_when_it_may_change(void **state)
{
    each_truth(waits_for_its_time);
}

/* --- A relay, which ACKs by itself */

static char *relayed(const char *script)
{
    struct buf out = { 0 };
    for (const char *at = script; *at;) {
        const char *open = strstr(at, " open");
        if (!open || (open[5] != ' ' && open[5] != '\n')) {
            buf_printf(&out, "%.*s", open ? (int)(open + 5 - at) : (int)strlen(at), at);
            at = open ? open + 5 : at + strlen(at);
            continue;
        }
        size_t len = strcspn(open, "\n");
        buf_printf(&out, "%.*s path=relayed", (int)(open + len - at), at);
        at = open + len;
    }
    char *text = strndup((const char *)buf_bytes(&out), buf_len(&out));
    buf_free(&out);
    return text;
}

static void comes_through_a_relay(const struct truth *t, const struct ledger *l,
                                  const struct outcomes *base)
{
    char *script = rig_run_script(t->expect, t->script), *other = relayed(script);
    struct ledger *copy = script_ledger(other);
    const struct feeding f = { .later = t->later * NS_PER_MS };
    struct outcomes now = fed(copy, &f);
    no_new_pass(t, base, &now, "relayed", 0);
    ledger_destroy(copy);
    free(script);
    free(other);
}

static void a_relay_makes_no_pass(void **state)
{
    each_truth(comes_through_a_relay);
}

/* --- Memory */

static void lacks_memory(const struct truth *t, const struct ledger *l, const struct outcomes *base)
{
    static unsigned count;
    const struct verdict_config config = { .attempts = 16, .connections = 16, .faults = 16 };
    if (count++ % (under_memcheck() ? 16 : 2))
        return;
    memory_for_jansson(true);
    bool done = false;
    for (long n = 0; !done; n = next_failing(n)) {
        long blocks = memory_blocks();
        memory_fails_once_after(n);
        struct verdict *v = verdict_create(&config);
        json_t *doc = NULL;
        bool final = false;
        enum outcome outcome = OUTCOME_INCONCLUSIVE;
        if (v) {
            rig_feed_verdict(v, l);
            outcome = verdict_outcome(v, &final);
            doc = verdict_json(v);
        }
        bool failed = memory_restore() > 0;
        if (outcome == OUTCOME_PASS && base->list[base->count - 1] != OUTCOME_PASS && failed &&
            wrong++ < 20)
            print_error("%s: passes when allocation %ld failed\n", t->title, n);
        json_decref(doc);
        verdict_destroy(v);
        assert_int_equal(memory_blocks(), blocks);
        done = !failed;
    }
    memory_for_jansson(false);
}

static void without_memory_nothing_passes_or_is_lost(void **state)
{
    each_truth(lacks_memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_missing_makes_no_pass_and_no_fail),
        cmocka_unit_test(the_smallest_bounds_make_no_pass),
        cmocka_unit_test(an_event_that_is_shifted_makes_no_pass),
        cmocka_unit_test(a_gap_makes_no_pass),
        cmocka_unit_test(a_saved_ledger_has_the_same_verdict),
        cmocka_unit_test(ids_do_not_matter),
        cmocka_unit_test(when_it_is_asked_does_not_matter),
        cmocka_unit_test(it_says_when_it_may_change),
        cmocka_unit_test(a_relay_makes_no_pass),
        cmocka_unit_test(without_memory_nothing_passes_or_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
