#ifndef ADHERD_CARE_TEMPLATE_APPROVAL_H
#define ADHERD_CARE_TEMPLATE_APPROVAL_H

#include "care/template_check.h"
#include "care/template_limits.h"

/*
 * Texts against what one provider takes and what it approved.  Rules by
 * name, errors unless said otherwise:
 *
 *	template-unapproved   never registered, or the text has changed since:
 *	                      the daemon holds it as template_unapproved
 *	registration-class    approved as the other class
 *	registration-unused   warning: approved, but there is no such text
 *	parameter-unknown     cannot be filled in
 *	parameter-extra       of a variable that the text does not have
 *	parameter-missing     a variable of the text is not among them
 *	parameter-order       another order than the text's, where that counts
 *	parameter-count       more than the provider takes, or any in a
 *	                      promotion where it takes none
 *	parameter-name        no field of the provider, or given twice
 *	parameter-type        a value that the field does not take
 *	parameter-length      the longest value is too long; warning: longer
 *	                      than reviewers like
 *	signature-length, sensitive-name: of the sender's name
 *	opt-out-missing       where a promotion must end with it
 *	segments              warning: a text in Latin letters over a gateway
 *	                      that counts them like Chinese ones
 */
#define SEGMENTS_LATIN_MAX 3

struct template_approval { /* what a provider approved, or shall approve */
	enum kind kind;
	enum stage stage;
	const char *locale;
	const char *code;
	const char *signature;
	const char *const *parameters;
	uint32_t parameter_count;
	const uint8_t *text_hash; /* of what was approved; NULL: not yet */
	bool promotion;
	bool long_term; /* any number of sends: none spends a credit */
};

struct template_gateway {
	const char *name; /* for people */
	enum channel channel;
	const struct template_limits *limits; /* NULL: not known */
	const char *source;   /* of the approvals: where they are written */
	bool approval_needed; /* and the approvals are all that there are */
};

/* Every text that goes out by this gateway. */
void template_check_gateway(const struct template_check *check,
    const struct template_gateway *gateway,
    const struct template_approval *approvals, size_t approval_count);

#endif
