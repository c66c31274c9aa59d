/* verb_user.c: peygir user add|passwd|remove|list */
#include "cli/ask.h"
#include "cli/output.h"
#include "core/user.h"

static int say_done(struct cli *cli, const char *what)
{
    struct json_object *all = json_object_new_object();
    output_set_text(all, "name", cli->operands[0]);
    output_set_bool(all, what, true);
    output_object(cli, all);
    return 0;
}

static int no_such(const struct cli *cli, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "there is no administrator \"%.64s\"; peygir user list names them", cli->operands[0]);
}

static struct span span_in(const struct str *s)
{
    return (struct span){ s->s, s->len };
}

/* What can be known before is said before anybody types a password twice. */
int verb_user_add(struct cli *cli, struct err *err)
{
    const char *name = cli->operands[0];
    struct str password = STR_INIT;
    if (user_check_name(name, err) < 0)
        return -1;
    int there = user_exists(&cli->app, name, err), result = there < 0 ? -1 : 0;
    if (there > 0)
        return err_set(err, ERR_STATE, "there is an administrator %s already; peygir user passwd %s sets a new password", name, name);
    if (result == 0)
        result = ask_password(&password, err);
    if (result == 0)
        result = user_add(&cli->app, name, span_in(&password), err);
    ask_wipe(&password);
    return result < 0 ? -1 : say_done(cli, "added");
}

int verb_user_passwd(struct cli *cli, struct err *err)
{
    const char *name = cli->operands[0];
    struct str password = STR_INIT;
    int result = user_exists(&cli->app, name, err);
    if (result > 0 && ask_password(&password, err) < 0)
        result = -1;
    if (result > 0)
        result = user_passwd(&cli->app, name, span_in(&password), err);
    ask_wipe(&password);
    if (result == 0)
        return no_such(cli, err);
    return result < 0 ? -1 : say_done(cli, "changed");
}

int verb_user_remove(struct cli *cli, struct err *err)
{
    int removed = user_remove(&cli->app, cli->operands[0], err);
    if (removed == 0)
        return no_such(cli, err);
    return removed < 0 ? -1 : say_done(cli, "removed");
}

static void add_user(void *ctx, const struct user_view *user)
{
    struct json_object *row = json_object_new_object();
    output_set_text(row, "name", user->name);
    output_set_time(row, "created_at", user->created_ms);
    output_set_time(row, "changed_at", user->changed_ms);
    output_set_time(row, "last_sign_in", user->seen_ms);
    json_object_array_add(ctx, row);
}

int verb_user_list(struct cli *cli, struct err *err)
{
    static const struct column columns[] = { COLUMN("name", "NAME"), COLUMN_WHEN("created_at", "CREATED"),
                                             COLUMN_WHEN("changed_at", "PASSWORD SET"), COLUMN_WHEN("last_sign_in", "SIGNED IN"),
                                             COLUMN_END };
    struct json_object *list = json_object_new_array();
    if (user_each(&cli->app, add_user, list, err) < 0) {
        json_object_put(list);
        return -1;
    }
    output_list(cli, list, columns, "There are no administrators; peygir user add NAME makes one.");
    return 0;
}
