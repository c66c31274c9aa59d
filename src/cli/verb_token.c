/* verb_token.c: peygir token create|list|revoke */
#include "cli/output.h"
#include "core/token.h"

int verb_token_create(struct cli *cli, struct err *err)
{
    char token[TOKEN_LEN + 1];
    int role = token_role_parse(span_of(cli_flag(cli, "role")->text));
    if (token_create(&cli->app, (enum token_role)role, cli->operands[0], cli_flag(cli, "service")->text, token, err) < 0)
        return -1;
    if (cli->json) {
        struct json_object *all = json_object_new_object();
        output_set_text(all, "token", token);
        output_object(cli, all);
    } else {
        puts(token);
    }
    fprintf(stderr, "peygir: note: the token is shown this once and stored as a digest only; keep it now, or revoke it and "
                    "make another\n");
    return 0;
}

static void add_token(void *ctx, const struct token_view *token)
{
    struct json_object *row = json_object_new_object();
    output_set_text(row, "name", token->name);
    output_set_text(row, "role", token_roles[token->role]);
    output_set_text(row, "services", token->services[0] ? token->services : NULL);
    output_set_time(row, "created_at", token->created_ms);
    output_set_time(row, "last_used", token->used_ms);
    json_object_array_add(ctx, row);
}

int verb_token_list(struct cli *cli, struct err *err)
{
    static const struct column columns[] = { COLUMN("name", "NAME"), COLUMN("role", "ROLE"), COLUMN("services", "SERVICES"),
                                             COLUMN_WHEN("created_at", "CREATED"), COLUMN_WHEN("last_used", "LAST USED"),
                                             COLUMN_END };
    struct json_object *list = json_object_new_array();
    if (token_each(&cli->app, add_token, list, err) < 0) {
        json_object_put(list);
        return -1;
    }
    output_list(cli, list, columns, "There are no tokens.");
    return 0;
}

int verb_token_revoke(struct cli *cli, struct err *err)
{
    int revoked = token_revoke(&cli->app, cli->operands[0], err);
    if (revoked == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no token \"%.64s\"; peygir token list names them", cli->operands[0]);
    if (revoked < 0)
        return -1;
    struct json_object *all = json_object_new_object();
    output_set_text(all, "name", cli->operands[0]);
    output_set_bool(all, "revoked", true);
    output_object(cli, all);
    return 0;
}
