/*
 * socket.h: the status socket of a daemon of paper (tests/unit/control/fake.h), asked again and
 * again. Layer: tests.
 */
#ifndef FUZZ_SOCKET_H
#define FUZZ_SOCKET_H

#include "fuzz.h"

#include "../unit/control/fake.h"

/* Each request over a connection of its own, which is over when this returns. Gives the answer's
 * status, 0 where there was none. */
int fuzz_ask(struct bytes request);

#endif
