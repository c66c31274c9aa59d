/* verb_session.c: peygir session list|show|create|revoke|revoke-all */
#include "cli/output.h"
#include "core/mask.h"
#include "core/session_admin.h"

/* --- looking --- */

static bool is_visitor(const struct session_view *view)
{
    return !view->user_id;
}

static struct json_object *row_of(const struct session_view *view)
{
    struct json_object *row = json_object_new_object();

    output_set_text(row, "id", view->id);
    output_set_masked(row, "user_id", view->user_id);
    output_set_text(row, "role", view->role);
    output_set_masked(row, "email", view->email);
    output_set_time(row, "created_at", view->created_ms);
    output_set_time(row, "last_activity", view->active_ms);
    output_set_text(row, "ip", view->ip);
    output_set_text(row, "user_agent", view->user_agent);
    return row;
}

struct listing {
    struct json_object *list;
    const char *user; /* NULL: all */
    int64_t limit;
};

/* SCAN may show one twice. */
static bool is_listed(struct json_object *list, const char *id)
{
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *value = json_object_object_get(json_object_array_get_idx(list, i), "id");
        if (strcmp(json_object_get_string(value), id) == 0)
            return true;
    }
    return false;
}

static void add_session(void *ctx, const struct session_view *view)
{
    struct listing *l = ctx;

    if (l->user && (is_visitor(view) || strcmp(view->user_id, l->user) != 0))
        return;
    if ((int64_t)json_object_array_length(l->list) < l->limit && !is_listed(l->list, view->id))
        json_object_array_add(l->list, row_of(view));
}

static int by_last_use(const void *a, const void *b)
{
    const char *one = json_object_get_string(json_object_object_get(*(struct json_object *const *)a, "last_activity"));
    const char *other = json_object_get_string(json_object_object_get(*(struct json_object *const *)b, "last_activity"));

    return strcmp(other ? other : "", one ? one : "");
}

int verb_session_list(struct cli *cli, struct err *err)
{
    static const struct column columns[] = { COLUMN("id", "ID"), COLUMN_CUT("user_id", "USER", 24), COLUMN_CUT("role", "ROLE", 16),
                                             COLUMN_WHEN("created_at", "CREATED"), COLUMN_WHEN("last_activity", "LAST USED"),
                                             COLUMN("ip", "ADDRESS"), COLUMN_CUT("user_agent", "BROWSER", 40), COLUMN_END };
    struct listing l = { json_object_new_array(), cli_flag(cli, "user")->text, cli_flag(cli, "limit")->number };

    if (session_each(&cli->app, add_session, &l, err) < 0) {
        json_object_put(l.list);
        return -1;
    }
    json_object_array_sort(l.list, by_last_use);
    output_list(cli, l.list, columns, "There are no sessions.");
    return 0;
}

/* 0, or -1, also when there is none. */
static int find(struct cli *cli, struct session_view *view, struct err *err)
{
    int found = session_find(&cli->app, span_of(cli->operands[0]), view, err);

    if (found == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no session of this id or token; peygir session list shows the ids");
    return found < 0 ? -1 : 0;
}

int verb_session_show(struct cli *cli, struct err *err)
{
    struct session_view view;
    struct json_object *all;

    if (find(cli, &view, err) < 0)
        return -1;
    all = row_of(&view);
    json_object_object_add(all, "metadata",
                           view.metadata ? mask_members(NULL, span_of(view.metadata)) : NULL);
    session_view_clear(&view);
    output_object(cli, all);
    return 0;
}

/* --- making --- */

int verb_session_create(struct cli *cli, struct err *err)
{
    const struct session_new n = { .user_id = span_of(cli_flag(cli, "user")->text),
                                   .role = span_of(cli_flag(cli, "role")->text),
                                   .email = span_of(cli_flag(cli, "email")->text) };
    char token[SESSION_TOKEN_LEN + 1];
    struct json_object *all;

    if (session_create(&cli->app, &n, token, NULL, err) < 0)
        return -1;
    if (cli->json) {
        all = json_object_new_object();
        output_set_text(all, "token", token);
        output_object(cli, all);
    } else {
        puts(token);
    }
    fprintf(stderr, "peygir: note: the token is shown this once; whoever has it as the cookie peygir_session (on HTTPS __Host-peygir_session) is this user\n");
    return 0;
}

/* --- ending --- */

int verb_session_revoke(struct cli *cli, struct err *err)
{
    struct session_view view;
    struct json_object *all;
    int ended;

    if (find(cli, &view, err) < 0)
        return -1;
    ended = session_revoke_view(&cli->app, &view, err);
    all = json_object_new_object();
    output_set_text(all, "id", view.id);
    output_set_bool(all, "revoked", ended == 1);
    session_view_clear(&view);
    if (ended < 0) {
        json_object_put(all);
        return -1;
    }
    output_object(cli, all);
    return 0;
}

int verb_session_revoke_all(struct cli *cli, struct err *err)
{
    int64_t ended = session_revoke_user(&cli->app, span_of(cli->operands[0]), (struct span){ NULL, 0 }, err);
    struct json_object *all;

    if (ended < 0)
        return -1;
    all = json_object_new_object();
    output_set_masked(all, "user_id", cli->operands[0]);
    output_set_number(all, "revoked", ended);
    output_object(cli, all);
    return 0;
}
