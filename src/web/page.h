/* page.h: HTML pages: templates loaded at start, rendered with a page's data inside the common data and the layout.
 *
 * Templates are Mustache files NAME.mustache in PEYGIR_TEMPLATES_DIR, read once at start; a file
 * services/{slug}/NAME.mustache stands in for NAME on the pages of that service. The page is rendered through
 * `layout`, whose partial `content` is the page's own template (write {{> content}} at the beginning of a line, so
 * that no indentation gets into a textarea); any other partial is a file of that name. A missing page template or
 * partial stops the start-up.
 *
 * What a template sees, innermost last: the catalogue as `t`, the common data, the page's data. Names that are null or
 * absent are false to a section. Texts are finished in the visitor's language (digits included) and not yet escaped;
 * values that came from people or bots are marked P: put them in <bdi>. Numbers for scripts (N) are plain JSON numbers.
 *
 * every page (layout too)
 *   t.*                  the catalogue of the visitor's language: {{t.form.submit}}
 *   lang, dir            "fa", "rtl"
 *   title                of the page, without the site's name; begins with t.title.error when a form has mistakes
 *   page                 name of the template: "form", for a class of the body
 *   at_home, at_requests, at_market, at_notifications, at_account   whether this is that page (aria-current)
 *   is_user              signed in by the host site
 *   has_market           there is something to see at /data
 *   csrf                 the visitor's CSRF token, for <meta name="csrf-token"> and _token fields; null: no form
 *   languages[]          code, name (in itself), dir, url (this page in that language), current
 *   refresh_s          N loaded again after so many seconds (a Refresh header does it already); null
 *
 * home
 *   services[]           slug, title, summary (null), url, duration ("about 10 seconds"),
 *                        closed P: what its administrator says about that; null: it is open
 *
 * closed                 stands in for form while the service is closed
 *   service              as on form
 *   message            P what its administrator says about that
 *
 * form                   POST {{service.url}} with _token, _key and the fields
 *   service              slug, title, summary (null), url, duration
 *   key                  value of the hidden field _key
 *   submit               text of the button
 *   notice               sentence above the form: Redis is away, the page had expired; null
 *   errors               null, or: list[] of href ("#f-mobile") and text
 *   fields[]             name, id ("f-mobile"), label, required, value P, error (sentence or null), has_error;
 *                        hint, placeholder, autocomplete, maxlength N, inputmode: null when unused;
 *                        hint_id ("f-mobile-hint"), error_id ("f-mobile-error"), described_by (both or one): or null;
 *                        type (text tel email password), and exactly one of is_input, is_select, is_checkbox,
 *                        is_textarea;
 *                        ltr: what is typed is digits or Latin whatever the language;
 *                        checkbox: checked (its value is "1"); select: choices[] value, label, selected
 *
 * progress
 *   service              as above
 *   hash                 the reference
 *   status, status_text  "pending", its words (t.status.pending)
 *   message            P what is going on
 *   progress N, progress_text   0-100, "30%" in the language's digits
 *   steps[]              id, label, number ("1"), is_done, is_current, is_waiting, state_text (t.step.done ...)
 *   time_left            "about 2 minutes"; null when unknown
 *   queue_position N, queue_text  place in the queue (1 is next) and its words; null when not waiting; queue_text
 *                                 alone beyond 1,000
 *   status_url           /api/local-requests/{hash}/status, for the script
 *   place                where this page is, for the script: when the view's redirect_url differs, go there
 *   cancel_url           POST with _token
 *   refresh_url          this page again; auto: it refreshes by itself; auto_url, manual_url: switch that on, off
 *
 * otp                    POST {{action}} with _token and otp
 *   service, hash, status_url, place, cancel_url  as above
 *   action, resend_url   POST with _token
 *   message            P what the bot says, or the catalogue's sentence
 *   length N, length_text
 *   expires_in N, expires_text   seconds left and their words; is_expired
 *   can_resend           another code may be asked for now
 *   resend_in N, resend_text     seconds until then and their words; null unless waiting for it
 *   no_resend            none is left
 *   attempts_left N, attempts_text
 *   error                sentence about the code, or null; errors: as on form (href "#f-otp": the field's id is f-otp, its
 *                        error's f-otp-error; or "#resend", where another code is asked for)
 *
 * result
 *   service, hash
 *   is_completed, is_failed, is_cancelled   exactly one
 *   status_text, finished_at                words; finished_at may be null
 *   rows[]               label P, and exactly one of: is_text (value P), is_number (value), is_date (value),
 *                        is_list (items[] of value P), is_link (url P, value P; http and https only)
 *   is_empty             completed, but the result holds nothing
 *   error                null, or: code, message P, retryable
 *   advice               failed or cancelled: what to do now
 *   again_url            the form with the same values; new_url: the empty form
 *   delete_url           POST with _token
 *
 * requests
 *   requests[]           hash, title, url (where it belongs now), status, status_text, message P, started_at,
 *                        is_final, is_completed, is_failed, is_cancelled, needs_code, delete_url
 *   has_requests         whether the list holds any
 *   is_deleted           something was deleted just now
 *
 * notifications
 *   notifications[]      id, heading P, text P, link P (null; a path of this site, or http and https), at, is_unread
 *   has_unread, unread_text   whether there are any, and how many in words
 * market                 data of the sources that ship; a part whose source has no address that somebody set is null
 *   coins, stocks        rows[] of name P, symbol P, price, change ("+2.5%"), rises, falls; and what each part has
 *   chart                name P, points (of a polyline in a box of 600 by 160), low, high, rows[] of at and price; and what each part has
 *   each part            as_of (date and time), is_old; or null both, and one of is_fetched, is_away: it is not there yet, or cannot be had
 *   refresh_url, auto, auto_url, manual_url   as on progress
 *
 * account
 *   who                P e-mail address or id of the user
 *   devices[]            id, device P, address P (null), used_at, made_at (null), is_this
 *   has_others           there are more than this one
 *
 * sign-in                POST {{action}} with _token, next, name and password
 *   csrf, in_admin       bound to the form's own cookie; true
 *   action, next         /admin/sign-in; where to go then
 *   name               P what was typed; null
 *   notice               sentence above the form: too soon, Redis is away, the session has ended, ...; null
 *   error                sentence or null; errors: as on form (href "#f-name")
 *   signed_out           this visitor has just signed out
 *
 * admin                  how Peygir is
 *   csrf, in_admin       bound to the administrator's session; true
 *   admin                name, sign_out_url
 *   at                   date and time of the figures
 *   state, is_ok, is_warning, is_failed   a sentence, and exactly one
 *   attention[], fine[]  label, text P, grade, is_failed: what to look at; what is in order
 *   queues[]             name, waiting, delayed, active, failed, oldest, workers: words and numbers; is_paused
 *   workers[]            host, pid, queues, running, concurrency
 *   today                total, completed, failed, average
 *   refresh_url, auto, auto_url, manual_url   as on progress
 *
 * error                  every other answer that is not what was asked for
 *   status N, status_number ("404" in the language's digits), name ("not_found"), heading, text
 *   retry_after N, retry_text   when to try again; null
 *   link                 null, or: url, text (where to go on; else only the home page is offered)
 *
 * Catalogue keys that the C code of src/web uses itself (values in braces are filled in):
 *   site.name, language.name
 *   title.home, title.form {service}, title.progress {service} {percent}, title.otp {service},
 *     title.result {service}, title.requests, title.market, title.notifications, title.account, title.error
 *   status.pending .processing .otp_required .otp_verifying .completed .failed .cancelled;  step.done .current .waiting
 *   progress.percent {percent}, progress.queue {position}, progress.queue_beyond
 *   form.submit, form.confirm {field}, form.notice_away, form.notice_csrf
 *   otp.message {length}, otp.attempts {count}, otp.error_form {length}, otp.error_state, otp.error_expired,
 *     otp.error_tries, otp.error_cooldown {time}, otp.error_resends
 *   result.advice_retry, result.advice_new, result.advice_cancelled, result.money {amount}, result.yes, result.no
 *   account.device {browser} {system}, account.device_unknown, account.needed, account.link_gone
 *   notifications.unread {count}
 *   link.progress, link.otp, link.result, link.form
 *   http.NAME.title and http.NAME.text for the names of problem.c: bad_request forbidden not_found method conflict
 *     gone too_large media_type invalid too_many internal away full busy unauthorized closed; http.retry {time}
 *   json.NAME: sentences of the API about its own body: json.not_object, json.service_missing, json.data_missing,
 *     json.otp_missing, json.unknown_service, json.key_reused, json.not_finished, json.key_form, json.jobs_list,
 *     json.no_job, json.job_ended, json.notifications_limit, json.notifications_off, json.no_notification, json.no_reminder, json.reminders_off,
 *     json.reminder_answered, json.token_role
 *   title.admin, title.sign_in, everything in admin and sign_in
 *   messages.closed, when an administrator closes a service without a word
 */
#ifndef PEYGIR_WEB_PAGE_H
#define PEYGIR_WEB_PAGE_H

#include "web/exchange.h"

#include <json-c/json.h>

/* What a template sees outermost, by language: t, lang, dir. One for each thread, because json-c's objects cannot be
 * shared. */
struct json_object **page_bases(const struct locales *locales);
void page_bases_free(struct json_object **bases, const struct locales *locales);

/* The data of a page; NULL values are null. Texts are copied. */
struct json_object *page_data(void);
void page_text(struct json_object *to, const char *name, const char *text);
void page_span(struct json_object *to, const char *name, struct span text); /* absent: null; mended to UTF-8 */
void page_int(struct json_object *to, const char *name, int64_t n);
void page_flag(struct json_object *to, const char *name, bool on);
void page_null(struct json_object *to, const char *name);
struct json_object *page_list(struct json_object *to, const char *name);    /* borrowed */
struct json_object *page_object(struct json_object *to, const char *name);  /* borrowed */
struct json_object *page_item(struct json_object *list);                    /* a new object at its end, borrowed */

/* `key` of the catalogue with {names} filled in; the text is valid until the next call. */
const char *page_words(struct exchange *x, const char *key, const char *const params[]);
/* A number in the visitor's digits; seconds in words; likewise valid until the next call. */
const char *page_number(struct exchange *x, int64_t n);
const char *page_duration(struct exchange *x, int64_t seconds);
const char *page_time(struct exchange *x, struct span rfc3339); /* NULL when it is none */

/* `service` as every page of a service gets it; one service as an item of a list. */
void page_service(struct exchange *x, struct json_object *data);
void page_service_item(struct exchange *x, struct json_object *item, const struct service *service);
/* Does this page refresh by itself, as the visitor chose (?auto=1)? Then it is not a person who asks. */
bool page_is_auto(const struct exchange *x);
/* refresh_url, auto, auto_url, manual_url, and refresh_s with its header if it does. */
void page_refresh(struct exchange *x, struct json_object *data, int seconds);
/* Render the page `name` with `data` (released here) and answer with `status`. */
void page_answer(struct exchange *x, int status, const char *name, const char *title, struct json_object *data);
/* 303 to `place` (a path of this site). */
void page_redirect(struct exchange *x, struct span place);
/* 303 to where the request belongs when that is not this page. True: answered. */
bool page_elsewhere(struct exchange *x);

/* Is `place` ("/services/{slug}/otp/{hash}") a page of this kind ("otp")? */
bool page_place_is(const char *place, const char *kind);
/* What every page of a request gets: service, hash, status, status_text, message, status_url, place, cancel_url. */
void page_request(struct exchange *x, struct json_object *data);
/* `message`: a raw JSON string as documents keep it (a catalogue key or text) in words; null when it is none. */
void page_message(struct exchange *x, struct json_object *data, struct span json);
/* The decoded text of a raw JSON string; valid until the next call; NULL when it is none. */
const char *page_raw(struct exchange *x, struct span json);

/* Has somebody said where one of the sources is that /data shows (page_market.c)? */
bool page_has_market(const struct exchange *x);

/* The error page of a problem (page_error.c). */
void page_problem(struct exchange *x);

#endif
