#ifndef ADHERD_BASE_FAULT_H
#define ADHERD_BASE_FAULT_H

#include <stdint.h>

/*
 * Breaking ourselves on purpose, in test builds only (-DADHERD_FAULTS); in
 * all others nothing of this exists.
 *
 * A point is a place where dying is interesting.  FAULT_AT=name[:n] chooses
 * one and its n-th passage (1), FAULT_DO what happens there: exit (with
 * status 137, nothing is flushed), abort, stop (SIGSTOP), delay:MS.
 *
 * A call is something that can fail.  FAULT_NTH=n lets the n-th of all calls
 * fail, counted over all kinds; FAULT_KIND=allocation|query|write|request
 * counts that kind only.
 *
 * FAULT_POISON=n aborts when the patient of that number is planned.
 *
 * FAULT_COUNTS=file counts every passage and call, of all processes that
 * name the same file: tests/faults/faults.py reads it.
 */
#define FAULT_POINTS(point) \
	/* a round: dossiers planned; its writes sent; all committed */ \
	point(BEFORE_COMMIT, "before-commit") point(MID_COMMIT, "mid-commit") \
	    point(AFTER_COMMIT, \
		"after-commit") /* a request to a provider: connected; bytes \
				   left; answered */ \
	    point(BEFORE_REQUEST, "before-request") \
		point(MID_REQUEST, "mid-request") point(AFTER_RESPONSE, \
		    "after-response") /* a page of outcomes: about to be sent; \
					 sent; stored */ \
	    point(BEFORE_OUTCOME, "before-outcome") \
		point(MID_OUTCOME, "mid-outcome") point(AFTER_OUTCOME, \
		    "after-outcome") /* a callback: read; its insert sent; \
					stored, not yet answered */ \
	    point(INBOX_BEFORE_COMMIT, "inbox-before-commit") \
		point(INBOX_MID_COMMIT, "inbox-mid-commit") point( \
		    INBOX_AFTER_COMMIT, \
		    "inbox-after-commit") /* receipts worked on: writes about \
					     to be sent; committed */ \
	    point(RECEIPT_BEFORE_COMMIT, "receipt-before-commit") \
		point(RECEIPT_AFTER_COMMIT, \
		    "receipt-after-commit") /* a reply: effects about to be \
					       written; committed */ \
	    point(REPLY_BEFORE_COMMIT, "reply-before-commit") \
		point(REPLY_AFTER_COMMIT, \
		    "reply-after-commit") /* a lapsed round: about to be \
					     taken over; taken over */ \
	    point(RESCUE_BEFORE_COMMIT, "rescue-before-commit") point( \
		RESCUE_AFTER_COMMIT, \
		"rescue-after-commit") /* a piece of an import, in adherctl */ \
	    point(INTAKE_BEFORE_COMMIT, "intake-before-commit") \
		point(INTAKE_AFTER_COMMIT, "intake-after-commit")

#define FAULT_KINDS(kind) \
	kind(ALLOCATION, "allocation") kind(QUERY, "query") \
	    kind(WRITE, "write") kind(REQUEST, "request")

#define FAULT_NAME_(id, name) FAULT_##id,
enum fault_point { FAULT_POINTS(FAULT_NAME_) FAULT_POINT_COUNT };
enum fault_kind { FAULT_KINDS(FAULT_NAME_) FAULT_KIND_COUNT };
#undef FAULT_NAME_

#ifdef ADHERD_FAULTS
void fault_pass(enum fault_point point);
/* 0, or the number of the call if this is the one that must fail. */
uint64_t fault_call(enum fault_kind kind);
void fault_poison(int64_t patient_id);
#define fault_point(point) fault_pass(FAULT_##point)
#define fault_fails(kind) fault_call(FAULT_##kind)
#else
#define fault_point(point) ((void)0)
#define fault_poison(patient_id) ((void)(patient_id))
#define fault_fails(kind) UINT64_C(0)
#endif

#endif
