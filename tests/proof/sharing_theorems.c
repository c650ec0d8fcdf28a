/* The step that hands amps on, and what follows from it for every limit. Only the prover reads this file: a function
 * stands for a theorem, its loops for the inductions.
 */
#include "sharing_logic.h"

#include "kernel.h"

/*@ // A run whose candidates and rooms can be looked up.
    predicate open_run(ps_run *run) =
      \valid_read(run) && \valid_read(run->site) && 0 <= run->site->n_connectors <= PS_MAX_CONNECTORS &&
      rooms(run->site->parent, run->site->n_circuits, run->room) &&
      \valid_read(run->site->circuit + (0 .. run->site->n_connectors - 1)) &&
      \valid_read(run->site->step + (0 .. run->site->n_connectors - 1)) &&
      (\forall integer i; 0 <= i < run->site->n_connectors
         ==> 0 <= run->site->circuit[i] < run->site->n_circuits && 0 < run->site->step[i] <= PS_MAX_OFFER);

    // A candidate as admission leaves it.
    predicate candidate(ps_run *run, integer k) =
      0 <= k && \valid_read(run->connector + k) && \valid_read(run->mask + k) && \valid_read(run->ceiling + k) &&
      \valid(run->given + k) && 0 <= run->connector[k] < run->site->n_connectors && 0 <= run->mask[k] <= 7 &&
      0 <= run->given[k] <= run->ceiling[k] <= PS_MAX_OFFER;

    // What is given is nothing that is read beside it.
    predicate apart_from_given(ps_run *run, integer k) =
      \separated(run->given + k, run) && \separated(run->given + k, run->site) &&
      \separated(run->given + k, run->site->parent + (0 .. run->site->n_circuits - 1)) &&
      \separated(run->given + k, run->site->circuit + (0 .. run->site->n_connectors - 1)) &&
      \separated(run->given + k, run->site->step + (0 .. run->site->n_connectors - 1)) &&
      \separated(run->given + k, run->connector + k, run->mask + k) &&
      \separated(run->given + k, run->ceiling + k);

    logic integer step_of(ps_run *run, integer k) = run->site->step[run->connector[k]];

    predicate loaded_by(ps_run *run, integer k, integer circuit, integer line) =
      on_way(run->site->parent, run->site->circuit[run->connector[k]], circuit) && loads(run->mask[k], line);

    predicate another_step_fits(ps_run *run, integer k) =
      run->given[k] + step_of(run, k) <= run->ceiling[k] &&
      all_have(run->site->parent, run->room, run->site->circuit[run->connector[k]], run->mask[k], step_of(run, k));
*/

#include "mixed.c"

/* In every tree, upward is backward. */
/*@ requires tree(parent, count);
    assigns \nothing;
    ensures backward(parent, count); */
void trees_are_backward(const int32_t *parent, int32_t count)
{
    /*@ loop invariant 0 <= c <= count && backward(parent, c);
        loop assigns c;
        loop variant count - c; */
    for (int32_t c = 0; c < count; c++)
        /*@ assert \forall integer x; on_way(parent, c, x) ==> (x == c || on_way(parent, parent[c], x)) && 0 <= x <= c; */
        ;
}

/*@ // What candidate k is given of a row, and all of [from, to) together: given as in state G, wired as in state W.
    axiomatic Given {
      logic integer share{W, G}(ps_run *run, integer k, integer circuit, integer line)
        reads \at(run->given[k], G), \at(run->mask[k], W), \at(run->connector[k], W), \at(run->site->circuit[..], W),
              \at(run->site->parent[..], W);

      axiom share_if_loaded{W, G}: \forall ps_run *run, integer k, circuit, line;
        \at(loaded_by(run, k, circuit, line), W) ==> share{W, G}(run, k, circuit, line) == \at(run->given[k], G);

      axiom no_share_if_not{W, G}: \forall ps_run *run, integer k, circuit, line;
        !\at(loaded_by(run, k, circuit, line), W) ==> share{W, G}(run, k, circuit, line) == 0;
    }

    logic integer given_on{W, G}(ps_run *run, integer from, integer to, integer circuit, integer line) =
      to <= from ? 0
                 : given_on{W, G}(run, from, to - 1, circuit, line) + share{W, G}(run, to - 1, circuit, line);
*/

/* What a step gives to a candidate it takes off every row that the candidate loads, and off no other: on every row, what
 * is left and what is given stay the same together. And no row is overdrawn by it.
 */
/*@ requires open_run(run) && candidate(run, k) && apart_from_given(run, k) && 0 <= from <= k < to;
    requires \forall integer j; from <= j < to && j != k ==> \separated(run->given + j, run->given + k);
    assigns run->given[k], run->room[0 .. 3 * run->site->n_circuits - 1];
    ensures \forall integer x, l; 0 <= x < run->site->n_circuits && 0 <= l < 3 ==>
      room_of{Post}(run->room, x, l) + given_on{Pre, Post}(run, from, to, x, l) ==
      room_of{Pre}(run->room, x, l) + given_on{Pre, Pre}(run, from, to, x, l);
    ensures \forall integer x, l; 0 <= x < run->site->n_circuits && 0 <= l < 3 ==>
      room_of{Post}(run->room, x, l) == room_of{Pre}(run->room, x, l) || 0 <= room_of{Post}(run->room, x, l); */
void a_step_keeps_the_sum(ps_run *run, int32_t k, int32_t from, int32_t to)
{
    hand_on_step(run, k);
    /*@ loop invariant from <= j <= to;
        loop invariant j <= k ==> \forall integer x, l;
          given_on{Pre, Here}(run, from, j, x, l) == given_on{Pre, Pre}(run, from, \at(j, Here), x, l);
        loop invariant j > k ==> \forall integer x, l;
          given_on{Pre, Here}(run, from, j, x, l) == given_on{Pre, Pre}(run, from, \at(j, Here), x, l) +
            share{Pre, Here}(run, k, x, l) - share{Pre, Pre}(run, k, x, l);
        loop assigns j;
        loop variant to - j; */
    for (int32_t j = from; j < to; j++)
        ;
    /*@ assert \forall integer x, l; 0 <= x < run->site->n_circuits && 0 <= l < 3 ==>
          room_of{Here}(run->room, x, l) + share{Pre, Here}(run, k, x, l) ==
          room_of{Pre}(run->room, x, l) + share{Pre, Pre}(run, k, x, l); */
}
