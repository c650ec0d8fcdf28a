/* What the parts of the kernel share. */
#ifndef POWERSHARE_KERNEL_INTERNAL_H
#define POWERSHARE_KERNEL_INTERNAL_H

#include "powershare_kernel.h"

/* Up to so many connectors and circuits few.c deals with. */
enum { PS_FEW = 16, PS_FEW_CIRCUITS = 4 };

/* Scratch: columns per connector, columns per row (three a circuit), columns per circuit. */
enum { PS_COLUMNS64 = 5, PS_ROWS64 = 5, PS_COLUMNS32 = 10, PS_CIRCUITS32 = 5 };

/* Room of a row without limits: more than everything that could be taken from it. */
#define PS_UNBOUNDED (INT64_C(1) << 62)

/* One allocation on its way. Candidate k has the k-th place in tree order (within its class, once classes are sorted
 * apart); columns 64 bits wide are for sums and for levels. */
typedef struct ps_run {
    const ps_problem *problem;
    const ps_site *site;
    int32_t count; /* candidates; after admission those admitted */
    int32_t one_priority;
    int32_t one_step;
    int32_t any_mask, all_mask; /* lines loaded by any, and by all */
    int32_t *connector, *mask, *least, *ceiling, *given, *weight; /* per candidate */
    int32_t *part_connector, *part_least, *part_given, *part_weight; /* some candidates, copied side by side */
    int64_t *keys;
    int64_t *stop, *part_floor, *part_most, *part_slope; /* mixed classes */
    /* Circuits above any candidate of the class at hand, each after those below it, and the candidates below each. */
    int32_t *touched, *first, *past;
    int32_t *moved, *moved_above; /* mixed classes, per circuit: whether levels on it moved; whether any above did */
    int64_t *moved_below;         /* and the lowest level from or to which any below did */
    int32_t n_touched;
    int32_t scarce;
    int64_t *least_sum, *sum, *level, *above; /* per row */
    int64_t *room;
} ps_run;

/* The candidates at one limit. In weighted classes least and given count steps, not milliamps. */
typedef struct ps_limit_group {
    const int32_t *connector, *least, *weight;
    int32_t *given;
    int32_t count;
    int32_t step;
    int64_t capacity;
} ps_limit_group;

static inline int64_t ps_scratch64(int64_t n, int64_t m) { return PS_COLUMNS64 * n + PS_ROWS64 * 3 * m; }

static inline int64_t ps_scratch32(int64_t n, int64_t m) { return PS_COLUMNS32 * n + PS_CIRCUITS32 * m; }

static inline uint32_t ps_seal(int32_t n_connectors, int32_t n_circuits)
{
    return UINT32_C(0x70737331) ^ ((uint32_t)n_connectors * UINT32_C(0x9e3779b1)) ^
           ((uint32_t)n_circuits * UINT32_C(0x85ebca6b));
}

/*@ requires \valid_read(run) && \valid_read(run->site) && \valid_read(run->connector + k);
    requires \valid_read(run->site->circuit + run->connector[k]);
    assigns \nothing;
    ensures \result == run->site->circuit[run->connector[k]]; */
static inline int32_t ps_circuit_of(const ps_run *run, int32_t k) { return run->site->circuit[run->connector[k]]; }

/*@ requires \valid_read(run) && \valid_read(run->site) && \valid_read(run->connector + k);
    requires \valid_read(run->site->step + run->connector[k]);
    assigns \nothing;
    ensures \result == run->site->step[run->connector[k]]; */
static inline int32_t ps_step_of(const ps_run *run, int32_t k) { return run->site->step[run->connector[k]]; }

/* Whether the ceilings of the class at hand do not all fit on a row. Rows on which nothing is asked may be exceeded. */
static inline int ps_is_scarce(const ps_run *run, int64_t row)
{
    const int64_t more = run->sum[row] - run->least_sum[row];
    return (more > 0) & (more > run->room[row]);
}

/* The first row from this circuit upward, lowest line first, with less room than needed; -1 where all have enough. */
/*@ requires \valid_read(run) && \valid_read(run->site);
    requires rooms(run->site->parent, run->site->n_circuits, run->room);
    requires -1 <= circuit < run->site->n_circuits && 0 <= mask <= 7;
    assigns \nothing;
    ensures \result == -1 ==> all_have(run->site->parent, run->room, circuit, mask, needed);
    ensures \result != -1 ==> 0 <= \result < 3 * run->site->n_circuits && run->room[\result] < needed; */
static inline int32_t ps_full_row(const ps_run *run, int32_t circuit, int32_t mask, int64_t needed)
{
    /*@ loop invariant -1 <= circuit < run->site->n_circuits;
        loop invariant \forall integer x; on_way(run->site->parent, circuit, x)
          ==> on_way(run->site->parent, \at(circuit, Pre), x);
        loop invariant \forall integer x, l; on_way(run->site->parent, \at(circuit, Pre), x) && loads(mask, l) &&
          room_of(run->room, x, l) < needed ==> on_way(run->site->parent, circuit, x);
        loop assigns circuit;
        loop variant circuit; */
    for (; circuit >= 0; circuit = run->site->parent[circuit])
        /*@ loop invariant 0 <= line <= 3;
            loop invariant \forall integer l; 0 <= l < line && loads(mask, l)
              ==> room_of(run->room, circuit, l) >= needed;
            loop assigns line;
            loop variant 3 - line; */
        for (int32_t line = 0; line < 3; line++)
            if ((mask >> line & 1) && run->room[3 * circuit + line] < needed)
                return 3 * circuit + line;
    return -1;
}

/* Takes no more than is there. */
/*@ requires \valid_read(run) && \valid_read(run->site);
    requires rooms(run->site->parent, run->site->n_circuits, run->room);
    requires -1 <= circuit < run->site->n_circuits && 0 <= mask <= 7;
    requires 0 <= amount && all_have(run->site->parent, run->room, circuit, mask, amount);
    assigns run->room[0 .. 3 * run->site->n_circuits - 1];
    ensures \forall integer x, l; 0 <= x < run->site->n_circuits && loads(mask, l) &&
      on_way(run->site->parent, circuit, x)
      ==> room_of{Post}(run->room, x, l) == room_of{Pre}(run->room, x, l) - amount;
    ensures \forall integer x, l; 0 <= x < run->site->n_circuits && 0 <= l < 3 &&
      !(loads(mask, l) && on_way(run->site->parent, circuit, x))
      ==> room_of{Post}(run->room, x, l) == room_of{Pre}(run->room, x, l); */
static inline void ps_take(ps_run *run, int32_t circuit, int32_t mask, int64_t amount)
{
    /*@ loop invariant -1 <= circuit < run->site->n_circuits;
        loop invariant circuit >= 0 ==> on_way(run->site->parent, circuit, circuit) ||
          on_way(run->site->parent, run->site->parent[circuit], circuit);
        loop invariant \forall integer x; on_way(run->site->parent, circuit, x)
          ==> on_way(run->site->parent, \at(circuit, Pre), x);
        loop invariant \forall integer x, l; 0 <= x < run->site->n_circuits && loads(mask, l) &&
          on_way(run->site->parent, \at(circuit, Pre), x) && !on_way(run->site->parent, circuit, x)
          ==> room_of{Here}(run->room, x, l) == room_of{Pre}(run->room, x, l) - amount;
        loop invariant \forall integer x, l; 0 <= x < run->site->n_circuits && 0 <= l < 3 &&
          (!on_way(run->site->parent, \at(circuit, Pre), x) || on_way(run->site->parent, circuit, x) ||
           !loads(mask, l)) ==> room_of{Here}(run->room, x, l) == room_of{Pre}(run->room, x, l);
        loop assigns circuit, run->room[0 .. 3 * run->site->n_circuits - 1];
        loop variant circuit; */
    for (; circuit >= 0; circuit = run->site->parent[circuit])
        /*@ loop invariant 0 <= line <= 3;
            loop invariant \forall integer l; 0 <= l < line && loads(mask, l)
              ==> room_of{Here}(run->room, circuit, l) == room_of{LoopEntry}(run->room, circuit, l) - amount;
            loop invariant \forall integer x, l; 0 <= x < run->site->n_circuits && 0 <= l < 3 &&
              (x != circuit || l >= line || !loads(mask, l))
              ==> room_of{Here}(run->room, x, l) == room_of{LoopEntry}(run->room, x, l);
            loop assigns line, run->room[0 .. 3 * run->site->n_circuits - 1];
            loop variant 3 - line; */
        for (int32_t line = 0; line < 3; line++)
            if (mask >> line & 1) {
                /*@ assert loads(mask, line) && room_of(run->room, circuit, line) >= amount; */
                run->room[3 * circuit + line] -= amount;
            }
}

/* a / b for b > 0 and a >= 0; most fit 32 bits, whose division takes a fraction of the time. */
static inline int64_t ps_divided(int64_t a, int64_t b)
{
    if (((uint64_t)a | (uint64_t)b) <= UINT32_MAX)
        return (int64_t)((uint32_t)a / (uint32_t)b);
    return a / b;
}

/* Newton's step towards the level where a capacity is met, kept within (low, high). It rarely takes six; an input made
 * to take many is cut short by halving every other time from round PS_HALVE on. */
enum { PS_HALVE = 12 };

/*@ requires 0 <= low && low + 1 < high;
    assigns \nothing;
    ensures low < \result < high; */
static inline int64_t ps_next_level(int64_t low, int64_t high, int64_t guess, int32_t round)
{
    if (guess <= low || guess >= high || (round >= PS_HALVE && round % 2 == 0))
        return low + (high - low) / 2;
    return guess;
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

/* The three ways to fill a class: they lower what is given to candidates [from, to) from the ceilings until it fits, and
 * take it off the room. All load the same lines, in one step; here the least offers are still in the room. Answers 0,
 * and has changed nothing, where they do not fit. */
int ps_fill_uniform(ps_run *run, int32_t from, int32_t to);
/* After a visit, the least offers taken off the room: one line each, in one step. */
void ps_fill_nested(ps_run *run, int32_t from, int32_t to);
/* The same, whatever they load and however they step. */
void ps_fill_mixed(ps_run *run, int32_t from, int32_t to);

/* nested.c: lowers those of [from, to) that load any of `lines` to the first steps within capacity; answers what they
 * keep. They are known not to fit whole, and to fit at their least. */
int64_t ps_clip(ps_run *run, int32_t from, int32_t to, int32_t lines, int64_t capacity);
/* The same for a group of one weight: a level in milliamps, then single steps to the first in site order. Needs a run,
 * for its scratch, only where the group is not in site order. */
int64_t ps_clip_alike(ps_run *run, const ps_limit_group *group);

/* few.c: checks and answers a problem on a site of alike connectors; or answers 0, and has changed nothing, where the
 * problem is not sound, or takes the general way. */
int ps_allocate_few(const ps_site *site, const ps_problem *problem);

#endif
