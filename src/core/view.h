/* view.h: the public view of a request (contract 5.2): the stored part, which is published, and what is computed whenever it is sent. */
#ifndef PEYGIR_VIEW_H
#define PEYGIR_VIEW_H

#include "core/locale.h"
#include "core/otp.h"

/* Append the stored part as a JSON object: from raw values, no parsing. `service` NULL: no otp policy known. */
void view_add_stored(struct str *out, const struct request *rq, const struct service *service);
/* Append the whole view: the stored part, current_message in the locale's words, expires_at, estimated_remaining_time, queue_position,
 * redirect_url, otp.expires_in and otp.resend_in. No allocation beyond out's growth. */
void view_add(struct str *out, const struct request *rq, const struct service *service, const struct locale *locale);
/* Append {"hash":…,"service_slug":… without a closing brace. */
void view_add_names(struct str *out, const struct request *rq);
/* What is said about it now, as raw JSON string: why its queue stands still, that many are ahead of it, or what the document says. */
struct span view_message(const struct request *rq);
/* Seconds it will probably still take; -1: nobody knows, while its queue stands still. */
int64_t view_left_s(const struct request *rq);
/* Where the visitor belongs now: "/services/{slug}/progress/{hash}" or otp or result. */
void view_add_place(struct str *out, const struct request *rq);
void view_add_place_of(struct str *out, struct span slug, enum request_status status, const char *hash);

#endif
