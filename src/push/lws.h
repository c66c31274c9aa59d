/* lws.h: libwebsockets. Its header brings OpenSSL's along, where ERR_STATE is a type; in this house it is a kind of error. */
#ifndef PEYGIR_LWS_H
#define PEYGIR_LWS_H

#define ERR_STATE openssl_ERR_STATE
#include <libwebsockets.h>
#undef ERR_STATE

#endif
