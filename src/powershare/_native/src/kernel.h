/* What the parts of the kernel share. */
#ifndef POWERSHARE_KERNEL_INTERNAL_H
#define POWERSHARE_KERNEL_INTERNAL_H

#include "powershare_kernel.h"

/* Scratch: columns per connector, columns per row (three a circuit), columns per circuit. */
enum { PS_COLUMNS64 = 5, PS_ROWS64 = 4, PS_COLUMNS32 = 10, PS_CIRCUITS32 = 3 };

/* Room of a row without limits: more than everything that could be taken from it. */
#define PS_UNBOUNDED (INT64_C(1) << 62)

/* One allocation on its way. Candidate k has the k-th place in tree order (within its class, once classes are sorted
 * apart); columns 64 bits wide are for sums and for levels. */
typedef struct ps_run {
    const ps_problem *problem;
    const ps_site *site;
    int32_t count; /* candidates; after admission those admitted */
    int32_t one_priority;
    int32_t *connector, *mask, *least, *ceiling, *given, *weight; /* per candidate */
    int32_t *part_connector, *part_least, *part_given, *part_weight; /* some candidates, copied side by side */
    int64_t *keys;
    int64_t *stop, *part_floor, *part_most, *part_slope; /* mixed classes */
    /* Circuits above any candidate of the class at hand, each after those below it, and the candidates below each. */
    int32_t *touched, *first, *past;
    int32_t n_touched;
    int64_t *least_sum, *sum, *level, *above; /* per row */
    int64_t *room;
} ps_run;

static inline uint32_t ps_seal(int32_t n_connectors, int32_t n_circuits)
{
    return UINT32_C(0x70737331) ^ ((uint32_t)n_connectors * UINT32_C(0x9e3779b1)) ^
           ((uint32_t)n_circuits * UINT32_C(0x85ebca6b));
}

static inline int32_t ps_circuit_of(const ps_run *run, int32_t k) { return run->site->circuit[run->connector[k]]; }

static inline int32_t ps_step_of(const ps_run *run, int32_t k) { return run->site->step[run->connector[k]]; }

/* Whether the ceilings of the class at hand do not all fit on a row. Rows on which nothing is asked may be exceeded. */
static inline int ps_is_scarce(const ps_run *run, int64_t row)
{
    const int64_t more = run->sum[row] - run->least_sum[row];
    return (more > 0) & (more > run->room[row]);
}

/* The first row from this circuit upward, lowest line first, with less room than needed; -1 where all have enough. */
static inline int32_t ps_full_row(const ps_run *run, int32_t circuit, int32_t mask, int64_t needed)
{
    for (; circuit >= 0; circuit = run->site->parent[circuit])
        for (int32_t line = 0; line < 3; line++)
            if ((mask >> line & 1) && run->room[3 * circuit + line] < needed)
                return 3 * circuit + line;
    return -1;
}

static inline void ps_take(ps_run *run, int32_t circuit, int32_t mask, int64_t amount)
{
    for (; circuit >= 0; circuit = run->site->parent[circuit])
        for (int32_t line = 0; line < 3; line++)
            if (mask >> line & 1)
                run->room[3 * circuit + line] -= amount;
}

/* visit.c: finds the circuits above candidates [from, to), and sums up least offers and ceilings on their rows. */
void ps_visit(ps_run *run, int32_t from, int32_t to);
/* Sums up what is given to candidates [from, to) instead, on the circuits found by the last visit. */
void ps_sum_given(ps_run *run, int32_t from, int32_t to);
/* Takes what is given beyond the least offers off the room of the circuits found by the last visit. */
void ps_settle(ps_run *run);

/* sort.c */
void ps_sort(int64_t *keys, int32_t count);
int64_t ps_key_after(const int64_t *keys, int32_t count, int64_t wanted);

/* nested.c and mixed.c: lower what is given to candidates [from, to) until it fits. */
void ps_fill_nested(ps_run *run, int32_t from, int32_t to);
void ps_fill_mixed(ps_run *run, int32_t from, int32_t to);

#endif
