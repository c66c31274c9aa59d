/* rights.h: whoever was let in is looked at again and again, so that what was revoked ends within five seconds. */
#ifndef PEYGIR_RIGHTS_H
#define PEYGIR_RIGHTS_H

#include "push/push.h"

/* Call it once a second: looks whether those who look still may, all of them in batches; does nothing while an earlier round is under way. */
void rights_check(struct push *p);

#endif
