/* banned.h: functions whose safe use cannot be seen at the call do not compile here.
 * Included by xmalloc.h, which every file includes first. */
#ifndef PEYGIR_BANNED_H
#define PEYGIR_BANNED_H

#define BANNED(name) name##_is_banned_see_base_banned_h

/* The C library declares all of these; their headers must come before the names are taken away. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf
#undef strtok
#define strcpy(d, s) BANNED(strcpy)
#define strcat(d, s) BANNED(strcat)
#define strncpy(d, s, n) BANNED(strncpy)
#define strncat(d, s, n) BANNED(strncat)
#define sprintf(...) BANNED(sprintf)
#define vsprintf(...) BANNED(vsprintf)
#define strtok(s, d) BANNED(strtok)
#define gets(s) BANNED(gets)
#define atoi(s) BANNED(atoi)
#define atol(s) BANNED(atol)
#define atoll(s) BANNED(atoll)
#define gmtime(t) BANNED(gmtime)
#define localtime(t) BANNED(localtime)
#define ctime(t) BANNED(ctime)
#define asctime(t) BANNED(asctime)

#endif
