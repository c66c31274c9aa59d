/* api_report.c: health and statistics, for the host site and its monitors. */
#include "web/api.h"

#include "base/json.h"
#include "core/report.h"
#include "web/dispatch.h"
#include "web/route.h"

static enum problem answer(struct exchange *x, struct json_object *report)
{
    if (!report)
        return exchange_fail(x);
    json_add(api_json(x, 200), report);
    json_object_put(report);
    return PROBLEM_NONE;
}

enum problem api_health(struct exchange *x)
{
    return answer(x, report_health(&x->seat->app, &x->err));
}

enum problem api_stats(struct exchange *x)
{
    return answer(x, report_stats(&x->seat->app, &x->err));
}
