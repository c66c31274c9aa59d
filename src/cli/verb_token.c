/* verb_token.c: peygir token create|list|revoke|secret */
#include "cli/output.h"
#include "core/options.h"
#include "core/token.h"
#include "core/webhook.h"

/* What the client checks signatures with, appended: it follows from the token's digest and is stored nowhere. */
static int add_webhook_secret(struct cli *cli, const char *digest, struct str *out, struct err *err)
{
    struct secret *secret = NULL;
    if (secret_load(settings_text(cli->settings, OPT_PEYGIR_SECRET_FILE), &secret, err) < 0)
        return -1;
    webhook_add_secret(out, secret, 0, digest);
    secret_free(secret);
    return 0;
}

static void show(struct cli *cli, const char *token, const char *webhook_secret)
{
    if (cli->json) {
        struct json_object *all = json_object_new_object();
        output_set_text(all, "token", token);
        if (webhook_secret)
            output_set_text(all, "webhook_secret", webhook_secret);
        output_object(cli, all);
    } else {
        puts(token);
        if (webhook_secret)
            puts(webhook_secret);
    }
    fprintf(stderr, "peygir: note: the token is shown this once and stored as a digest only; keep it now, or revoke it and "
                    "make another\n");
    if (webhook_secret)
        fprintf(stderr, "peygir: note: what begins with whsec_ is what the client checks calls with; peygir token secret shows it again\n");
}

int verb_token_create(struct cli *cli, struct err *err)
{
    const char *callbacks = cli_flag(cli, "callback")->text;
    struct token_new n = { .role = (enum token_role)token_role_parse(span_of(cli_flag(cli, "role")->text)),
                           .name = cli->operands[0],
                           .services = cli_flag(cli, "service")->text,
                           .callbacks = callbacks };
    char token[TOKEN_LEN + 1], digest[DIGEST_HEX_SIZE];
    struct str secret = STR_INIT;
    if (callbacks && n.role != TOKEN_API)
        return err_set(err, ERR_INVALID, "--callback is for tokens of the role api: only they make requests");
    /* Before the token is made: without the file there would be one that nobody can use so. */
    if (callbacks && add_webhook_secret(cli, "", &secret, err) < 0)
        return -1;
    str_reset(&secret);
    int result = token_create(&cli->app, &n, token, err);
    token_digest(span_of(token), digest);
    if (result == 0 && callbacks)
        result = add_webhook_secret(cli, digest, &secret, err);
    if (result == 0)
        show(cli, token, callbacks ? secret.s : NULL);
    str_free(&secret);
    return result;
}

static void add_token(void *ctx, const struct token_view *token)
{
    struct json_object *row = json_object_new_object();
    char *callbacks = xmemdupz(token->callbacks.s ? token->callbacks.s : "", token->callbacks.len);
    output_set_text(row, "name", token->name);
    output_set_text(row, "role", token_roles[token->role]);
    output_set_text(row, "services", token->services[0] ? token->services : NULL);
    output_set_text(row, "callbacks", token->callbacks.len > 0 ? callbacks : NULL);
    output_set_time(row, "created_at", token->created_ms);
    output_set_time(row, "last_used", token->used_ms);
    free(callbacks);
    json_object_array_add(ctx, row);
}

int verb_token_list(struct cli *cli, struct err *err)
{
    static const struct column columns[] = { COLUMN("name", "NAME"), COLUMN("role", "ROLE"), COLUMN("services", "SERVICES"), COLUMN("callbacks", "CALLBACKS"),
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

int verb_token_secret(struct cli *cli, struct err *err)
{
    char digest[DIGEST_HEX_SIZE];
    struct str secret = STR_INIT;
    int found = token_digest_of(&cli->app, cli->operands[0], digest, err);
    if (found == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no token \"%.64s\"; peygir token list names them", cli->operands[0]);
    if (found < 0 || add_webhook_secret(cli, digest, &secret, err) < 0)
        return -1;
    if (cli->json) {
        struct json_object *all = json_object_new_object();
        output_set_text(all, "webhook_secret", secret.s);
        output_object(cli, all);
    } else {
        puts(secret.s);
    }
    str_free(&secret);
    return 0;
}
