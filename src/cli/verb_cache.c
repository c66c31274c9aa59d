/* verb_cache.c: peygir cache get|set|forget|clear|invalidate-tag|stats */
#include "base/json.h"
#include "cli/output.h"
#include "core/cache.h"

#include <errno.h>
#include <unistd.h>

/* Each operand is a key, or a tag: borrowed in *out, which the caller frees. 0 or -1. */
static int take_names(const struct cli *cli, int (*check)(struct span name, struct err *err), struct span **out, struct err *err)
{
    *out = xcalloc((size_t)cli->operand_count, sizeof **out);
    for (int i = 0; i < cli->operand_count; i++) {
        (*out)[i] = span_of(cli->operands[i]);
        if (check((*out)[i], err) == 0)
            continue;
        free(*out);
        err_prefix(err, "\"%.60s\"", cli->operands[i]);
        return -1;
    }
    return 0;
}

static int print_count(const struct cli *cli, const char *name, int64_t count)
{
    struct json_object *all;

    if (count < 0)
        return -1;
    all = json_object_new_object();
    output_set_number(all, name, count);
    output_object(cli, all);
    return 0;
}

/* --- one entry --- */

/* NUL and bytes that are no UTF-8 become U+FFFD. */
static struct json_object *text_of(struct span value)
{
    struct str quoted = STR_INIT;
    struct json_object *text = NULL;
    struct err err = ERR_INIT;

    str_add_json(&quoted, value.s, value.len);
    json_parse(quoted.s, quoted.len, &text, &err);
    str_free(&quoted);
    return text;
}

static void print_json(const struct cli *cli, const struct cache_entry *entry)
{
    struct json_object *all = json_object_new_object();
    int64_t fresh_s = entry->fresh_ms > 0 ? entry->fresh_ms / 1000 : 0;

    output_set_text(all, "key", cli->operands[0]);
    json_object_object_add(all, "value", text_of(entry->value));
    output_set_text(all, "type", entry->type.len > 0 ? entry->type.s : NULL);
    output_set_number(all, "bytes", (int64_t)entry->value.len);
    output_set_number(all, "age_s", entry->age_ms / 1000);
    output_set_number(all, "fresh_s", fresh_s);
    output_set_number(all, "ends_s", entry->ends_ms / 1000);
    output_set_bool(all, "stale", entry->fresh_ms <= 0);
    output_object(cli, all);
}

int verb_cache_get(struct cli *cli, struct err *err)
{
    const struct span key = span_of(cli->operands[0]);
    struct cache_entry entry;
    int found;

    if (cache_check_key(key, err) < 0)
        return -1;
    found = cache_look(&cli->app, key, NULL, &entry, err);
    if (found < 0)
        return -1;
    if (found == 0)
        return err_set(err, ERR_NOT_FOUND, "the cache has nothing under %s, or it was invalidated", cli->operands[0]);
    if (cli->json) {
        print_json(cli, &entry);
        return 0;
    }
    fwrite(entry.value.s, 1, entry.value.len, stdout);
    if (isatty(STDOUT_FILENO) && (entry.value.len == 0 || entry.value.s[entry.value.len - 1] != '\n'))
        putchar('\n');
    return 0;
}

/* One byte more than may be is enough to refuse it. */
static int read_input(struct str *value, struct err *err)
{
    char piece[16384];
    size_t got;

    str_reset(value);
    while (value->len <= CACHE_VALUE_MAX && (got = fread(piece, 1, sizeof piece, stdin)) > 0)
        str_add(value, piece, got);
    return ferror(stdin) ? err_set(err, ERR_FAILED, "standard input cannot be read: %s", strerror(errno)) : 0;
}

_Static_assert(FLAG_TIMES <= CACHE_TAGS_MAX, "as many tags as the flag may be given");
static int take_tags(const struct cli *cli, struct cache_tags *tags, struct err *err)
{
    const struct flag_value *flag = cli_flag(cli, "tag");

    for (tags->count = 0; tags->count < flag->times; tags->count++) {
        tags->tag[tags->count] = span_of(flag->texts[tags->count]);
        if (cache_check_tag(tags->tag[tags->count], err) < 0)
            return err_prefix(err, "--tag \"%.60s\"", flag->texts[tags->count]);
    }
    return 0;
}

static int put(struct cli *cli, struct span value, const struct cache_tags *tags, struct err *err)
{
    const int64_t ttl_s = cli_flag(cli, "ttl")->number;
    const struct cache_new n = { .value = value, .fresh_ms = ttl_s * 1000, .tags = tags };
    struct json_object *all;

    if (cache_put(&cli->app, span_of(cli->operands[0]), &n, err) < 0)
        return -1;
    all = json_object_new_object();
    output_set_text(all, "key", cli->operands[0]);
    output_set_number(all, "bytes", (int64_t)value.len);
    output_set_number(all, "ttl", ttl_s);
    output_object(cli, all);
    return 0;
}

int verb_cache_set(struct cli *cli, struct err *err)
{
    bool from_input = cli->operand_count == 1;
    struct str value = STR_INIT;
    struct cache_tags tags;
    int result;

    if (cache_check_key(span_of(cli->operands[0]), err) < 0 || take_tags(cli, &tags, err) < 0)
        return -1;
    if (!from_input)
        return put(cli, span_of(cli->operands[1]), &tags, err);
    result = read_input(&value, err) < 0 ? -1 : put(cli, (struct span){ value.s, value.len }, &tags, err);
    str_free(&value);
    return result;
}

/* --- many --- */

int verb_cache_forget(struct cli *cli, struct err *err)
{
    struct span *keys;
    int64_t gone;

    if (take_names(cli, cache_check_key, &keys, err) < 0)
        return -1;
    gone = cache_forget(&cli->app, keys, (size_t)cli->operand_count, err);
    free(keys);
    return print_count(cli, "forgotten", gone);
}

int verb_cache_invalidate_tag(struct cli *cli, struct err *err)
{
    struct span *tags;
    int64_t found;

    if (take_names(cli, cache_check_tag, &tags, err) < 0)
        return -1;
    found = cache_invalidate(&cli->app, tags, (size_t)cli->operand_count, err);
    free(tags);
    return print_count(cli, "invalidated", found);
}

int verb_cache_clear(struct cli *cli, struct err *err)
{
    const char *prefix = cli_flag(cli, "prefix")->text;
    bool dry_run = cli_flag(cli, "dry-run")->given;

    if (prefix && cache_check_key(span_of(prefix), err) < 0)
        return err_prefix(err, "--prefix \"%.60s\"", prefix);
    return print_count(cli, dry_run ? "found" : "forgotten", cache_clear(&cli->app, prefix ? span_of(prefix) : SPAN(""), dry_run, err));
}

/* --- counters --- */

static void add_row(void *ctx, const struct cache_counts *c)
{
    struct json_object *row = json_object_new_object();
    int percent = cache_hit_percent(c);

    json_object_object_add(row, "prefix", json_object_new_string_len(c->prefix.s, (int)c->prefix.len));
    output_set_number(row, "hits", c->hits);
    output_set_number(row, "misses", c->misses);
    if (percent >= 0)
        output_set_number(row, "hit_percent", percent);
    else
        json_object_object_add(row, "hit_percent", NULL);
    output_set_number(row, "sets", c->sets);
    output_set_number(row, "evictions", c->evictions);
    json_object_array_add(ctx, row);
}

int verb_cache_stats(struct cli *cli, struct err *err)
{
    static const struct column columns[] = { COLUMN("prefix", "PREFIX"), COLUMN("hits", "HITS"), COLUMN("misses", "MISSES"),
                                             COLUMN("hit_percent", "HITS %"), COLUMN("sets", "SETS"), COLUMN("evictions", "EVICTIONS"),
                                             COLUMN_END };
    struct json_object *list = json_object_new_array();

    if (cache_stats(&cli->app, add_row, list, err) < 0) {
        json_object_put(list);
        return -1;
    }
    output_list(cli, list, columns, "Nobody has asked the cache for anything yet.");
    return 0;
}
