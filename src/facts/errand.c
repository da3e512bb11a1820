/*
 * errand.c: what a check asks of a probe beyond an ordinary one. Layer: facts.
 */
#include "facts/errand.h"

#include <stdlib.h>

struct errand *
errand_new(void)
{
	struct errand *errand = calloc(1, sizeof(*errand));

	if (errand)
		errand->owners = 1;
	return errand;
}

struct errand *
errand_hold(struct errand *errand)
{
	if (errand)
		__atomic_add_fetch(&errand->owners, 1, __ATOMIC_RELAXED);
	return errand;
}

void
errand_free(struct errand *errand)
{
	if (!errand || __atomic_sub_fetch(&errand->owners, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	free(errand->from);
	free(errand->to);
	free(errand->message_id);
	free(errand->message);
	free(errand);
}
