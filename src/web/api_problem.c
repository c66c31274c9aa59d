/* api_problem.c: problem details (RFC 9457), and what the JSON routes share. */
#include "web/api.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"

void api_problem_open(struct exchange *x, const char *detail)
{
    const struct problem_row *row = &problems[x->problem];
    const char *reason = problem_reason(row->status);

    x->status = row->status;
    x->content = CONTENT_PROBLEM;
    str_reset(&x->answer);
    str_adds(&x->answer, "{\"type\":\"about:blank\",\"title\":");
    str_add_json(&x->answer, reason, strlen(reason));
    str_adds(&x->answer, ",\"status\":");
    str_add_int(&x->answer, row->status);
    str_adds(&x->answer, ",\"detail\":");
    str_reset(&x->words);
    if (detail)
        str_adds(&x->words, detail);
    else
        exchange_add_sentence(x, &x->words);
    str_add_json(&x->answer, x->words.s, x->words.len);
    str_adds(&x->answer, ",\"instance\":");
    str_reset(&x->words); /* a path that is not percent-encoded may be anything */
    utf8_add_mended(&x->words, x->path.s ? x->path.s : "/", x->path.s ? x->path.len : 1);
    str_add_json(&x->answer, x->words.s, x->words.len);
}

void api_problem(struct exchange *x)
{
    api_problem_open(x, NULL);
    str_addc(&x->answer, '}');
}

struct str *api_json(struct exchange *x, int status)
{
    x->status = status;
    x->content = CONTENT_JSON;
    str_reset(&x->answer);
    return &x->answer;
}

/* --- members --- */

void api_add_text(struct str *out, const char *name, const char *text)
{
    str_adds(out, name);
    if (text)
        str_add_json(out, text, strlen(text));
    else
        str_adds(out, "null");
}

void api_add_time(struct str *out, const char *name, int64_t ms)
{
    char text[CLOCK_RFC3339_SIZE];

    clock_rfc3339(ms, text);
    api_add_text(out, name, ms > 0 ? text : NULL);
}

void api_add_stored(struct str *out, const char *name, const char *text)
{
    if (!text || json_check(text, strlen(text), NULL) < 0) {
        api_add_text(out, name, text);
        return;
    }
    str_adds(out, name);
    str_adds(out, text);
}

void api_add_error(struct str *errors, const char *field, const char *sentence)
{
    str_adds(errors, errors->len ? ",{\"field\":" : "{\"field\":");
    str_add_json(errors, field, strlen(field));
    str_adds(errors, ",\"detail\":");
    str_add_json(errors, sentence, strlen(sentence));
    str_addc(errors, '}');
}

void api_refuse_members(struct exchange *x, const struct str *errors)
{
    x->problem = PROBLEM_INVALID;
    api_problem_open(x, "Some members of the body are not right.");
    x->problem = PROBLEM_NONE;
    str_adds(&x->answer, ",\"errors\":[");
    str_add(&x->answer, errors->s, errors->len);
    str_adds(&x->answer, "]}");
}
