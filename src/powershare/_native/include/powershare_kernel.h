/* The allocation kernel: how many milliamps each connector may offer.
 *
 * C11, freestanding: integers only, the caller's memory only, no recursion, no calls into a C library (a compiler may
 * turn loops into memcpy or memset; on 32-bit targets 64-bit divisions need the compiler's own runtime, libgcc).
 * Every function checks all its input before it writes, and answers a negative code where it refuses.
 *
 * Row = 3 * circuit + line. Amounts are milliamps. What is decided, and why: docs, "allocation".
 * The plain Python twin in reference.py and filling.py answers the same bytes, and is the place to read first.
 */
#ifndef POWERSHARE_KERNEL_H
#define POWERSHARE_KERNEL_H

#include <stdint.h>

#define PS_MAX_CONNECTORS (INT32_C(1) << 20)
#define PS_MAX_CIRCUITS (INT32_C(1) << 20)
#define PS_MAX_OFFER INT32_C(10000000)
#define PS_MAX_WEIGHT INT32_C(1000)
#define PS_MAX_LIMIT (INT64_C(1) << 40)
#define PS_NO_LIMIT INT64_MAX /* zero never means "no limit" */
#define PS_NO_CAP INT32_MAX
#define PS_NOT_HELD INT32_C(-1)

/* Why input was refused. Where several apply, the one nearest to zero is answered. */
enum {
    PS_OK = 0,
    PS_NULL = -1,
    PS_COUNT = -2,
    PS_LENGTH = -3, /* an array of the caller is too short */
    PS_CYCLE = -4,  /* a parent is not an earlier circuit, nor -1 */
    PS_CIRCUIT = -5,
    PS_MASK = -6,
    PS_OFFERS = -7, /* not 0 < step <= least <= greatest <= PS_MAX_OFFER in whole steps */
    PS_NOT_COMPILED = -8,
    PS_WANTED = -9,
    PS_LINES_USED = -10,
    PS_WAITING = -11,
    PS_WEIGHT = -12,
    PS_HELD = -13, /* out of range, or together with wanted > 0 */
    PS_CAP = -14,
    PS_LIMIT = -15,
    PS_OTHER_LOAD = -16
};

/* What became of a connector. */
enum { PS_IDLE = 0, PS_ALLOCATED = 1, PS_SHED = 2, PS_REFUSED = 3, PS_HOLDING = 4 };

/* What kept a connector from more: a row (>= 0), or one of these. */
enum { PS_BY_NOTHING = -1, PS_BY_VEHICLE = -2, PS_BY_GREATEST = -3, PS_BY_CAP = -4 };

/* What the wiring alone says of every vehicle that can come. */
enum { PS_SHAPE_MIXED = 0, PS_SHAPE_ONE_MASK = 1, PS_SHAPE_ONE_LINE = 2 };

/* What is installed. */
typedef struct ps_site {
    int32_t n_connectors;
    int32_t n_circuits;
    int64_t connector_len; /* elements that each of the caller's arrays per connector really holds */
    int64_t circuit_len;   /* the same per circuit */
    const int32_t *parent; /* [n_circuits] an earlier circuit, or -1: so a cycle cannot be said */
    const int32_t *circuit;
    const uint8_t *masks; /* [4 * n_connectors] lines loaded by a vehicle that uses [unspecified, 1, 2, 3] lines */
    const int32_t *least;
    const int32_t *greatest;
    const int32_t *step;
    /* Written by ps_site_compile. */
    int32_t *order; /* [n_connectors] the connectors in tree order: those of a circuit's subtree side by side */
    int32_t *ends;  /* [n_circuits] where in that order the circuit's subtree ends */
    int32_t shape;
    int32_t in_order; /* the tree order is the site order */
    int32_t alike;    /* a few connectors on one circuit, wired alike, with one step */
    uint32_t seal;
    uint64_t step_inverse; /* where alike, 2^32 / step and a little more: to divide by multiplying */
} ps_site;

/* One allocation. */
typedef struct ps_problem {
    const ps_site *site;
    int64_t connector_len;
    int64_t circuit_len; /* the arrays per row hold three times as many */
    int64_t work64_len;
    int64_t work32_len;
    const int32_t *wanted;     /* 0: nobody asks */
    const uint8_t *lines_used; /* 0 (unspecified) to 3 */
    const int32_t *waiting;    /* seconds */
    const int32_t *weight;
    const int32_t *priority;
    const int32_t *held; /* what a silent connector may be drawing, or PS_NOT_HELD */
    const int32_t *cap;  /* an external limit of the connector itself, or PS_NO_CAP */
    const int64_t *limit;            /* on connectors, held current and other load */
    const int64_t *limit_connectors; /* on connectors and held current */
    const int64_t *other;            /* the circuit's own other load */
    /* Answers. */
    int32_t *allocated;
    uint8_t *status;
    int32_t *bound;
    int64_t *room; /* what is left; negative where held current and other load alone exceed the limit */
    /* Scratch. */
    int64_t *work64;
    int32_t *work32;
} ps_problem;

/* Checks the columns, then fills order, ends, shape and seal. A site that was refused is unsealed. */
int32_t ps_site_compile(ps_site *site);

/* How many elements of scratch a problem on a site of this size needs; negative counts need none. */
int64_t ps_work64_len(int32_t n_connectors, int32_t n_circuits);
int64_t ps_work32_len(int32_t n_connectors, int32_t n_circuits);

/* Checks the problem, then writes the answers. Time: about linear in connectors times the circuits above each. */
int32_t ps_allocate(ps_problem *problem);

/* Runs all problems; answers the code of the first that was refused, or PS_OK. */
int32_t ps_allocate_each(ps_problem *const *problems, int64_t count);

#endif
