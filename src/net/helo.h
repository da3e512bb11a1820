/*
 * helo.h: the name that we give in EHLO where the settings name none. Layer: net.
 */
#ifndef NET_HELO_H
#define NET_HELO_H

/* This host's full name, else its address as a literal ("[192.0.2.1]"; RFC 5321 4.1.3). The
 * resolver gets 2 s. The caller's (free()); NULL: no memory. */
char *helo_name_of_host(void);

#endif
