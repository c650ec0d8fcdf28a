/* Walking the part of the tree that some candidates hang on, without recursion, and summing up what they load.
 *
 * Candidates come in tree order and parents have smaller indices than their children. So on the way from one
 * candidate's circuit to the next one's, always stepping up from the larger index until both meet, one side is left for
 * good and the other is entered: each circuit once, each left after all below it.
 */
#include "kernel.h"

static void enter(ps_run *run, int32_t circuit, int32_t k)
{
    const int64_t row = 3 * (int64_t)circuit;
    run->first[circuit] = k;
    for (int32_t line = 0; line < 3; line++) {
        run->least_sum[row + line] = 0;
        run->sum[row + line] = 0;
    }
}

static void leave(ps_run *run, int32_t circuit, int32_t k)
{
    const int32_t above = run->site->parent[circuit];
    run->past[circuit] = k;
    run->touched[run->n_touched++] = circuit;
    if (above < 0)
        return;
    for (int32_t line = 0; line < 3; line++) {
        run->least_sum[3 * above + line] += run->least_sum[3 * circuit + line];
        run->sum[3 * above + line] += run->sum[3 * circuit + line];
    }
}

static void walk(ps_run *run, int32_t left, int32_t entered, int32_t k)
{
    while (left != entered) {
        if (left > entered) {
            leave(run, left, k);
            left = run->site->parent[left];
        } else {
            enter(run, entered, k);
            entered = run->site->parent[entered];
        }
    }
}

void ps_visit(ps_run *run, int32_t from, int32_t to)
{
    int32_t circuit = -1;
    run->n_touched = 0;
    for (int32_t k = from; k < to; k++) {
        const int32_t next = ps_circuit_of(run, k);
        const int64_t least = run->least[k], ceiling = run->ceiling[k];
        const int64_t row = 3 * (int64_t)next;
        if (next != circuit)
            walk(run, circuit, next, k);
        circuit = next;
        for (int32_t line = 0; line < 3; line++) {
            const int64_t loaded = -(int64_t)(run->mask[k] >> line & 1);
            run->least_sum[row + line] += least & loaded;
            run->sum[row + line] += ceiling & loaded;
        }
    }
    walk(run, circuit, -1, to);
}

void ps_sum_given(ps_run *run, int32_t from, int32_t to)
{
    for (int32_t j = 0; j < run->n_touched; j++)
        for (int32_t line = 0; line < 3; line++)
            run->sum[3 * run->touched[j] + line] = 0;
    for (int32_t k = from; k < to; k++) {
        const int64_t row = 3 * (int64_t)ps_circuit_of(run, k);
        for (int32_t line = 0; line < 3; line++)
            run->sum[row + line] += run->given[k] & -(int64_t)(run->mask[k] >> line & 1);
    }
    for (int32_t j = 0; j < run->n_touched; j++) {
        const int32_t circuit = run->touched[j], above = run->site->parent[circuit];
        if (above >= 0)
            for (int32_t line = 0; line < 3; line++)
                run->sum[3 * above + line] += run->sum[3 * circuit + line];
    }
}

void ps_settle(ps_run *run)
{
    for (int32_t j = 0; j < run->n_touched; j++)
        for (int32_t line = 0; line < 3; line++) {
            const int64_t row = 3 * (int64_t)run->touched[j] + line;
            run->room[row] -= run->sum[row] - run->least_sum[row];
        }
}
