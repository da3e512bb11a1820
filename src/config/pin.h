/*
 * pin.h: the pin of a server's key as it is written. Layer: config, pure.
 */
#ifndef CONFIG_PIN_H
#define CONFIG_PIN_H

#include "base/bytes.h"

#define PIN_BYTES 32

/* SHA-256 as hex, colons allowed (as openssl prints it), or as base64 (as RFC 7469 writes it).
 * ERR_SYNTAX, ERR_MEMORY */
CHECKED enum err pin_parse(struct bytes text, uint8_t out[PIN_BYTES]);

#endif
