/*
 * proxy_url.h: "socks5://user:pass@host:port", "http://host:port" -> a proxy. Layer: config.
 */
#ifndef CONFIG_PROXY_URL_H
#define CONFIG_PROXY_URL_H

#include "facts/endpoint.h"

/*
 * user and pass may be percent-encoded (RFC 3986 2.1), and must be where they have : @ / or %.
 *   out  written on ERR_OK alone; proxy_done()
 *   why  what is wrong; what would be right. Nothing of the URL is in it: it may hold a secret
 * ERR_INVALID, ERR_MEMORY
 */
CHECKED enum err proxy_url_parse(struct bytes url, struct proxy *out, struct fault *why);

#endif
