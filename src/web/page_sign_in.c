/* page_sign_in.c: administrators sign in and out. */
#include "web/page.h"

#include "core/locale.h"
#include "core/sign_in.h"
#include "web/admin.h"
#include "web/dispatch.h"
#include "web/route.h"

#define HOME "/admin"
#define SIGN_IN "/admin/sign-in"

/* --- where to go then --- */

/* Only within the administrators' area: a link that somebody was sent leads to no other site. */
static bool is_place(struct span s)
{
    const size_t start = sizeof HOME - 1;

    if (s.len < start || memcmp(s.s, HOME, start) != 0 || (s.len > start && s.s[start] != '/' && s.s[start] != '?'))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (s.s[i] <= 0x20 || s.s[i] >= 0x7f || s.s[i] == '\\' || (i > 0 && s.s[i] == s.s[i - 1] && (s.s[i] == '/' || s.s[i] == '.')))
            return false;
    return true;
}

static struct span next_place(const struct exchange *x)
{
    struct span next = form_get(x->method == METHOD_POST ? &x->form : &x->query, "next");

    return is_place(next) ? next : SPAN(HOME);
}

/* --- the form --- */

/* What is wrong above it; `error` belongs to the fields. The password is never shown again. */
static void show(struct exchange *x, int status, const char *notice, const char *error)
{
    struct json_object *data = page_data(), *item;

    admin_welcome(x);
    admin_data(x, data);
    page_text(data, "action", SIGN_IN);
    page_span(data, "next", next_place(x));
    page_span(data, "name", form_get(&x->form, "name"));
    page_text(data, "notice", notice);
    page_text(data, "error", error);
    page_flag(data, "signed_out", span_is(form_get(&x->query, "signed_out"), "1"));
    if (error) {
        item = page_item(page_list(page_object(data, "errors"), "list"));
        page_text(item, "href", "#f-name");
        page_text(item, "text", error);
    }
    page_answer(x, status, "sign-in", locale_text(x->locale, "title.sign_in"), data);
}

enum problem page_sign_in(struct exchange *x)
{
    show(x, 200, NULL, NULL);
    return PROBLEM_NONE;
}

/* What was typed does not stay in the memory of this thread until the next request writes over it. */
static void wipe(struct exchange *x)
{
    struct span password = form_get(&x->form, "password");

    if (password.s)
        explicit_bzero((char *)password.s, password.len);
    if (x->body.s)
        explicit_bzero(x->body.s, x->body.len);
}

enum problem page_sign_in_submit(struct exchange *x)
{
    const struct sign_in attempt = { form_get(&x->form, "name"), form_get(&x->form, "password"), x->param[PARAM_REMOTE_ADDR], admin_known(x) };
    struct admin_session s;
    char known[SIGN_IN_KNOWN_SIZE];
    int right = 0;

    if (attempt.name.len > 0 && attempt.password.len > 0)
        right = sign_in(&x->seat->app, &attempt, &s, known, &x->err);
    wipe(x);
    if (right < 0)
        return exchange_fail(x);
    if (right == 0) {
        show(x, problems[PROBLEM_INVALID].status, NULL, locale_text(x->locale, "sign_in.wrong"));
        return PROBLEM_NONE;
    }
    admin_remember(x, &s, known);
    page_redirect(x, next_place(x));
    return PROBLEM_NONE;
}

/* The form again, saying why; other problems have the error page. */
enum problem page_sign_in_refused(struct exchange *x)
{
    static const struct {
        enum problem problem;
        const char *key;
    } notices[] = { { PROBLEM_FORBIDDEN, "sign_in.notice_csrf" },
                    { PROBLEM_TOO_MANY, "sign_in.notice_wait" },
                    { PROBLEM_AWAY, "sign_in.notice_away" },
                    { PROBLEM_FULL, "sign_in.notice_away" } };
    char *time = xstrdup(page_duration(x, x->err.retry_after_s)), *notice;
    enum problem left = x->problem;

    for (size_t i = 0; i < ARRAY_LEN(notices) && left != PROBLEM_NONE; i++) {
        if (notices[i].problem != x->problem)
            continue;
        notice = xstrdup(page_words(x, notices[i].key, LOCALE_PARAMS("time", time)));
        show(x, problems[x->problem].status, notice, NULL);
        free(notice);
        left = PROBLEM_NONE;
    }
    free(time);
    return left;
}

/* --- for every other page of the area --- */

/* Nobody has signed in: to the form, and back to where they wanted to go. What they sent is not carried out, and the form says so. */
enum problem page_sign_in_first(struct exchange *x)
{
    if (x->problem != PROBLEM_FORBIDDEN || x->admin.known)
        return x->problem;
    if (x->method == METHOD_POST) {
        show(x, problems[PROBLEM_FORBIDDEN].status, locale_text(x->locale, "sign_in.notice_ended"), NULL);
        return PROBLEM_NONE;
    }
    str_reset(&x->scratch);
    str_adds(&x->scratch, SIGN_IN "?next=");
    str_add_url(&x->scratch, x->path.s, x->path.len);
    if (x->raw_query.len > 0) {
        str_adds(&x->scratch, "%3F");
        str_add_url(&x->scratch, x->raw_query.s, x->raw_query.len);
    }
    page_redirect(x, (struct span){ x->scratch.s, x->scratch.len });
    return PROBLEM_NONE;
}

enum problem page_sign_out(struct exchange *x)
{
    if (admin_session_end(&x->seat->app, &x->admin, &x->err) < 0)
        return exchange_fail(x);
    admin_forget(x);
    page_redirect(x, SPAN(SIGN_IN "?signed_out=1"));
    return PROBLEM_NONE;
}
