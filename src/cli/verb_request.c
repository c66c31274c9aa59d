/* verb_request.c: peygir request list|show|cancel|cleanup */
#include "base/json.h"
#include "cli/output.h"
#include "core/locale.h"
#include "core/mask.h"
#include "core/options.h"
#include "core/request.h"
#include "core/seal.h"
#include "core/secret.h"
#include "core/view.h"

static int parse_hash(const struct cli *cli, struct span *hash, struct err *err)
{
    *hash = span_of(cli->operands[0]);
    if (keys_is_hash(*hash))
        return 0;
    return err_set(err, ERR_INVALID, "\"%.40s\" is not a request: it begins with req_ and has 30 characters",
                   cli->operands[0]);
}

static int read_known(struct cli *cli, struct span hash, struct request *rq, struct err *err)
{
    int found = request_read(&cli->app, hash, rq, err);
    if (found == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no request %.*s: it has expired or never was", (int)hash.len, hash.s);
    return found < 0 ? -1 : 0;
}

static struct json_object *parsed(struct span json)
{
    struct json_object *value = NULL;
    if (json.s)
        json_parse(json.s, json.len, &value, NULL);
    return value;
}

static struct json_object *view_of(struct cli *cli, const struct request *rq)
{
    struct str text = STR_INIT;
    const struct service *service = services_find(cli->house.services, request_slug(rq));
    view_add(&text, rq, service, cli->house.locales ? locales_default(cli->house.locales) : NULL);
    struct json_object *view = parsed((struct span){ text.s, text.len });
    mask_texts(json_object_object_get(view, "current_message"));
    mask_texts(json_object_object_get(view, "error"));
    str_free(&text);
    return view;
}

/* --- list --- */

int verb_request_list(struct cli *cli, struct err *err)
{
    static const struct column columns[] = { COLUMN("hash", "HASH"),
                                             COLUMN("service_slug", "SERVICE"),
                                             COLUMN("status", "STATUS"),
                                             COLUMN("progress", "%"),
                                             COLUMN("step", "STEP"),
                                             COLUMN_WHEN("updated_at", "UPDATED"),
                                             COLUMN_END };
    redis_use_db(cli->app.redis, cli->app.main_db);
    const struct reply *reply =
        redis_do(cli->app.redis, err, "LRANGE %s 0 %lld", KEY_REQUEST_LIST, (long long)cli_flag(cli, "limit")->number - 1);
    if (!reply)
        return -1;
    char(*hashes)[HASH_SIZE] = xcalloc(reply->count + 1, HASH_SIZE);
    size_t count = 0;
    for (size_t i = 0; i < reply->count; i++)
        if (keys_is_hash(reply_text(&reply->item[i])))
            memcpy(hashes[count++], reply_text(&reply->item[i]).s, HASH_LEN);
    struct json_object *list = json_object_new_array();
    int result = 0;
    for (size_t i = 0; i < count && result >= 0; i++) {
        struct request rq;
        result = request_read(&cli->app, span_of(hashes[i]), &rq, err);
        if (result == 1)
            json_object_array_add(list, view_of(cli, &rq));
        else if (result < 0 && err->kind != ERR_AWAY) { /* one broken document does not hide the others */
            fprintf(stderr, "peygir: %s\n", err->text);
            result = 0;
        }
    }
    free(hashes);
    if (result < 0) {
        json_object_put(list);
        return -1;
    }
    output_list(cli, list, columns, "There are no requests.");
    return 0;
}

/* --- show --- */

/* What the visitor read: the history keeps a key of the catalogue, or a bot's own words. */
static struct json_object *message_of(struct cli *cli, struct json_object *kept)
{
    if (!cli->house.locales || !json_object_is_type(kept, json_type_string))
        return json_object_get(kept);
    struct str text = STR_INIT;
    locale_add_message(locales_default(cli->house.locales), &text, span_of(json_object_get_string(kept)));
    struct json_object *message = json_object_new_string_len(text.s ? text.s : "", (int)text.len);
    str_free(&text);
    return message;
}

static struct json_object *history_of(struct cli *cli, struct span hash, struct err *err)
{
    struct key events = key_events(hash);
    const struct reply *reply = redis_do(cli->app.redis, err, "LRANGE %b 0 -1", events.s, events.len);
    if (!reply)
        return NULL;
    static const char *const names[] = { "revision", "updated_at", "status", "step", "progress", "message" };
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < reply->count; i++) {
        struct json_object *entry = parsed(reply_text(&reply->item[i])), *row = json_object_new_object();
        for (size_t k = 0; k < ARRAY_LEN(names) && json_object_is_type(entry, json_type_array); k++)
            json_object_object_add(row, names[k], json_object_get(json_object_array_get_idx(entry, k)));
        json_object_object_add(row, "message", message_of(cli, json_object_object_get(row, "message")));
        mask_texts(json_object_object_get(row, "message"));
        json_object_array_add(list, row);
        json_object_put(entry);
    }
    return list;
}

/* The form's values, masked; "(sealed)" for who may not read the secret, and when they do not open. */
static struct json_object *form_of(struct cli *cli, const struct request *rq)
{
    const struct service *service = services_find(cli->house.services, request_slug(rq));
    struct span value = rq->doc.field[DOC_DATA];
    struct secret *secret = NULL;
    struct str opened = STR_INIT;
    struct json_object *form;
    if (!seal_is(value))
        return mask_members(service, value);
    if (secret_load(settings_text(cli->settings, OPT_PEYGIR_SECRET_FILE), &secret, NULL) == 0 &&
        seal_open(&opened, secret, span_of(rq->hash), document_names[DOC_DATA], value, NULL) == 1)
        form = mask_members(service, (struct span){ opened.s, opened.len });
    else
        form = json_object_new_string("(sealed)");
    secret_free(secret);
    str_free(&opened);
    return form;
}

int verb_request_show(struct cli *cli, struct err *err)
{
    static const struct column columns[] = { COLUMN("revision", "REV"),
                                             COLUMN("updated_at", "AT"),
                                             COLUMN("status", "STATUS"),
                                             COLUMN("step", "STEP"),
                                             COLUMN("progress", "%"),
                                             COLUMN("message", "MESSAGE"),
                                             COLUMN_END };
    struct span hash;
    struct request rq;
    if (parse_hash(cli, &hash, err) < 0 || read_known(cli, hash, &rq, err) < 0)
        return -1;
    struct json_object *all = view_of(cli, &rq);
    json_object_object_add(all, "request_data", form_of(cli, &rq));
    json_object_object_add(all, "has_result",
                           json_object_new_boolean(!span_is(document_value(&rq.doc, DOC_RESULT), "null")));
    json_object_object_add(all, "run", json_object_new_int64(rq.guard.run));
    json_object_object_add(all, "ttl_seconds", json_object_new_int64(rq.ttl_ms / 1000));
    struct json_object *history = history_of(cli, hash, err);
    if (!history) {
        json_object_put(all);
        return -1;
    }
    if (cli->json)
        json_object_object_add(all, "history", history);
    output_object(cli, all);
    if (!cli->json) {
        putchar('\n');
        output_list(cli, history, columns, "");
    }
    return 0;
}

/* --- cancel --- */

int verb_request_cancel(struct cli *cli, struct err *err)
{
    struct span hash;
    if (parse_hash(cli, &hash, err) < 0)
        return -1;
    int done = request_cancel(&cli->app, hash, err);
    if (done < 0)
        return -1;
    struct json_object *all = json_object_new_object();
    json_object_object_add(all, "hash", json_object_new_string_len(hash.s, (int)hash.len));
    json_object_object_add(all, "cancelled", json_object_new_boolean(done == 1));
    output_object(cli, all);
    return 0;
}

/* --- cleanup --- */

enum { SCAN_COUNT = 500 };

struct cleanup {
    struct cli *cli;
    bool dry_run;
    int64_t listed, companions;
};

/* Entries of the list whose document has expired. */
static int clean_list(struct cleanup *c, struct err *err)
{
    struct redis *r = c->cli->app.redis;
    const struct reply *list = redis_do(r, err, "LRANGE %s 0 -1", KEY_REQUEST_LIST), *replies;
    if (!list)
        return -1;
    size_t total = list->count, count;
    if (total == 0)
        return 0;
    char(*hashes)[HASH_SIZE] = xcalloc(total, HASH_SIZE);
    for (size_t i = 0; i < total; i++) {
        struct span hash = reply_text(&list->item[i]);
        memcpy(hashes[i], hash.s, hash.len < HASH_LEN ? hash.len : HASH_LEN);
    }
    for (size_t i = 0; i < total; i++) {
        struct key document = key_document(span_of(hashes[i]));
        redis_queuef(r, "EXISTS %b", document.s, document.len);
    }
    int result = redis_exchange(r, &replies, &count, err);
    for (size_t i = 0; result == 0 && i < count; i++)
        if (replies[i].integer == 0) {
            c->listed++;
            if (!c->dry_run)
                redis_postf(r, "LREM %s 0 %s", KEY_REQUEST_LIST, hashes[i]);
        }
    free(hashes);
    return result;
}

/* The hash inside {local_request:HASH}:part; absent when the key is none of ours. */
static struct span companion_hash(struct span key)
{
    static const char head[] = "{local_request:";
    struct span hash = { key.s + sizeof head - 1, HASH_LEN };
    if (key.len < sizeof head - 1 + HASH_LEN || memcmp(key.s, head, sizeof head - 1) != 0 || !keys_is_hash(hash))
        return (struct span){ NULL, 0 };
    return hash;
}

static int clean_companions_of(struct cleanup *c, const struct reply *found, struct err *err)
{
    struct redis *r = c->cli->app.redis;
    size_t total = found->count, asked = 0, count;
    struct str *keys = xcalloc(total + 1, sizeof *keys);
    for (size_t i = 0; i < total; i++)
        str_add_span(&keys[i], reply_text(&found->item[i]));
    for (size_t i = 0; i < total; i++) {
        struct span hash = companion_hash((struct span){ keys[i].s, keys[i].len });
        struct key document = key_document(hash.s ? hash : SPAN("-"));
        redis_queuef(r, "EXISTS %b", document.s, document.len);
        asked++;
    }
    const struct reply *replies;
    int result = asked > 0 ? redis_exchange(r, &replies, &count, err) : 0;
    for (size_t i = 0; result == 0 && i < asked; i++)
        if (companion_hash((struct span){ keys[i].s, keys[i].len }).s && replies[i].integer == 0) {
            c->companions++;
            if (!c->dry_run)
                redis_postf(r, "DEL %b", keys[i].s, keys[i].len);
        }
    for (size_t i = 0; i < total; i++)
        str_free(&keys[i]);
    free(keys);
    return result;
}

static int clean_companions(struct cleanup *c, struct err *err)
{
    char cursor[32] = "0";
    do {
        const struct reply *page =
            redis_do(c->cli->app.redis, err, "SCAN %s MATCH {local_request:*}:* COUNT %d", cursor, SCAN_COUNT);
        if (!page)
            return -1;
        if (page->count != 2)
            return err_set(err, ERR_FAILED, "Redis gave an answer to SCAN that is not known here");
        snprintf(cursor, sizeof cursor, "%.*s", (int)reply_text(&page->item[0]).len, reply_text(&page->item[0]).s);
        if (clean_companions_of(c, &page->item[1], err) < 0)
            return -1;
    } while (strcmp(cursor, "0") != 0);
    return 0;
}

int verb_request_cleanup(struct cli *cli, struct err *err)
{
    struct cleanup c = { .cli = cli, .dry_run = cli_flag(cli, "dry-run")->given };
    redis_use_db(cli->app.redis, cli->app.main_db);
    if (clean_list(&c, err) < 0 || clean_companions(&c, err) < 0)
        return -1;
    if (!redis_do(cli->app.redis, err, "PING")) /* what was posted has been carried out when this is answered */
        return -1;
    struct json_object *all = json_object_new_object();
    json_object_object_add(all, "dry_run", json_object_new_boolean(c.dry_run));
    json_object_object_add(all, "list_entries", json_object_new_int64(c.listed));
    json_object_object_add(all, "companion_keys", json_object_new_int64(c.companions));
    output_object(cli, all);
    return 0;
}
