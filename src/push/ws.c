/* ws.c: what is said on a WebSocket */
#include "push/ws.h"

#include "core/job.h"

/* --- what a client says --- */

static int read_topics(struct json_object *list, const char *name, struct ws_message *out, struct err *err)
{
    size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    if (count == 0 || count > WS_TOPICS_AT_ONCE)
        return err_set(err, ERR_INVALID, "\"%s\" must be a list of 1 to %d topics.", name, WS_TOPICS_AT_ONCE);
    for (size_t i = 0; i < count; i++) {
        struct json_object *topic = json_object_array_get_idx(list, i);
        if (!json_object_is_type(topic, json_type_string))
            return err_set(err, ERR_INVALID, "\"%s\" must name topics like \"request:HASH\".", name);
        out->order[out->count++] = (struct ws_order){ .leave = strcmp(name, "unsubscribe") == 0, .topic = json_object_get_string(topic) };
    }
    return 0;
}

int ws_read(struct span text, struct ws_message *out, struct err *err)
{
    static const char *const names[] = { "unsubscribe", "subscribe" };
    struct json_object *list;
    *out = (struct ws_message){ .root = NULL };
    if (json_parse(text.s, text.len, &out->root, err) < 0)
        return -1;
    if (!json_object_is_type(out->root, json_type_object))
        return err_set(err, ERR_INVALID, "A message is a JSON object.");
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (json_object_object_get_ex(out->root, names[i], &list) && read_topics(list, names[i], out, err) < 0)
            return -1;
    out->pings = json_object_object_get_ex(out->root, "ping", &out->ping);
    return out->count > 0 || out->pings ? 0 : err_set(err, ERR_INVALID, "A message says \"subscribe\", \"unsubscribe\" or \"ping\".");
}

void ws_clear(struct ws_message *message)
{
    json_object_put(message->root);
    message->root = NULL;
}

enum ws_kind ws_kind(const char *topic, struct span *id)
{
    static const struct {
        const char *before;
        enum ws_kind kind;
    } rows[] = { { "request:", WS_REQUEST }, { "task:", WS_TASK } };
    *id = SPAN("");
    if (strcmp(topic, "notifications") == 0)
        return WS_NOTIFICATIONS;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = strlen(rows[i].before);
        if (strncmp(topic, rows[i].before, len) != 0)
            continue;
        *id = span_of(topic + len);
        bool fits = rows[i].kind == WS_REQUEST ? keys_is_hash(*id) : id->len > 0 && id->len <= JOB_ID_MAX && !span_has_control(*id);
        return fits ? rows[i].kind : WS_UNKNOWN;
    }
    return WS_UNKNOWN;
}

/* --- what it hears --- */

static void add_member(struct str *out, const char *name, const char *text)
{
    str_adds(out, name);
    str_add_json(out, text, strlen(text));
}

void ws_add_word(struct str *out, const char *word, const char *topic)
{
    str_addf(out, "{\"%s\":", word);
    add_member(out, "", topic);
    str_addc(out, '}');
}

void ws_add_refused(struct str *out, const char *topic, int status, struct span detail)
{
    add_member(out, "{\"refused\":", topic);
    str_addf(out, ",\"status\":%d,\"detail\":", status);
    str_add_json(out, detail.s, detail.len);
    str_addc(out, '}');
}

void ws_add_error(struct str *out, const char *detail)
{
    add_member(out, "{\"error\":", detail);
    str_addc(out, '}');
}

void ws_add_pong(struct str *out, struct json_object *ping)
{
    str_adds(out, "{\"pong\":");
    json_add(out, ping);
    str_addc(out, '}');
}

void ws_add_update(struct str *out, const char *topic, int64_t id, struct span data)
{
    add_member(out, "{\"topic\":", topic);
    str_adds(out, ",\"event\":\"update\",\"id\":");
    str_add_int(out, id);
    str_adds(out, ",\"data\":");
    str_add_span(out, data);
    str_addc(out, '}');
}

void ws_add_message(struct str *out, const char *topic, struct span data)
{
    add_member(out, "{\"topic\":", topic);
    str_adds(out, ",\"event\":\"message\",\"data\":");
    str_add_span(out, data);
    str_addc(out, '}');
}
