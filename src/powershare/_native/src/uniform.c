/* Classes whose vehicles all load the same lines: the commonest, so the shortest way.
 *
 * On each circuit the tightest of those lines stands for all of them, so sums and capacities are kept per circuit, not
 * per row. The walk is that of visit.c.
 */
#include "kernel.h"

static int64_t tightest(const ps_run *run, int32_t circuit, int32_t mask)
{
    const int64_t *room = run->room + 3 * (int64_t)circuit;
    int64_t least = PS_UNBOUNDED;
    for (int32_t line = 0; line < 3; line++)
        if ((mask >> line & 1) && room[line] < least)
            least = room[line];
    return least;
}

/* Leaves all circuits from `left` up to `shared`; answers whether any has less capacity than the least offers. */
static int leave_up_to(ps_run *run, int32_t left, int32_t shared, int32_t k, int32_t mask)
{
    int short_of = 0;
    while (left != shared) {
        const int32_t above = run->site->parent[left];
        run->level[left] = tightest(run, left, mask);
        short_of |= run->least_sum[left] > run->level[left];
        run->scarce |= run->sum[left] > run->level[left];
        run->past[left] = k;
        run->touched[run->n_touched++] = left;
        if (above >= 0) {
            run->least_sum[above] += run->least_sum[left];
            run->sum[above] += run->sum[left];
        }
        left = above;
    }
    return short_of;
}

static int32_t enter_down_to(ps_run *run, int32_t left, int32_t entered, int32_t k)
{
    while (left != entered) {
        if (left > entered) {
            left = run->site->parent[left];
        } else {
            run->first[entered] = k;
            run->least_sum[entered] = 0;
            run->sum[entered] = 0;
            entered = run->site->parent[entered];
        }
    }
    return left;
}

/* Sums up candidates [from, to) on the circuits above them; answers whether all least offers fit. */
static int visit(ps_run *run, int32_t from, int32_t to, int32_t mask)
{
    int32_t circuit = -1, short_of = 0;
    run->n_touched = 0;
    run->scarce = 0;
    for (int32_t k = from; k < to;) {
        const int32_t next = ps_circuit_of(run, k);
        int64_t least = 0, ceiling = 0;
        short_of |= leave_up_to(run, circuit, enter_down_to(run, circuit, next, k), k, mask);
        for (circuit = next; k < to && ps_circuit_of(run, k) == circuit; k++) {
            least += run->least[k];
            ceiling += run->ceiling[k];
        }
        run->least_sum[circuit] += least;
        run->sum[circuit] += ceiling;
    }
    short_of |= leave_up_to(run, circuit, -1, to, mask);
    return !short_of;
}

/* Up the tree, each circuit keeps the first steps that fit of those kept below; then sums up what is kept. */
static void clip_up(ps_run *run)
{
    int64_t *cut = run->above;
    for (int32_t j = 0; j < run->n_touched; j++)
        cut[run->touched[j]] = 0;
    for (int32_t j = 0; j < run->n_touched; j++) {
        const int32_t circuit = run->touched[j], above = run->site->parent[circuit];
        if (run->sum[circuit] - cut[circuit] > run->level[circuit])
            cut[circuit] =
                run->sum[circuit] - ps_clip(run, run->first[circuit], run->past[circuit], 7, run->level[circuit]);
        if (above >= 0)
            cut[above] += cut[circuit];
    }
}

/* What every circuit gives in the end: circuits above may have taken back from those below. */
static void sum_given(ps_run *run, int32_t from, int32_t to)
{
    for (int32_t j = 0; j < run->n_touched; j++)
        run->sum[run->touched[j]] = 0;
    for (int32_t k = from; k < to; k++)
        run->sum[ps_circuit_of(run, k)] += run->given[k];
    for (int32_t j = 0; j < run->n_touched; j++) {
        const int32_t circuit = run->touched[j], above = run->site->parent[circuit];
        if (above >= 0)
            run->sum[above] += run->sum[circuit];
    }
}

int ps_fill_uniform(ps_run *run, int32_t from, int32_t to)
{
    const int32_t mask = run->mask[from];
    if (!visit(run, from, to, mask))
        return 0;
    if (run->scarce) {
        clip_up(run);
        sum_given(run, from, to);
    }
    for (int32_t j = 0; j < run->n_touched; j++)
        for (int32_t line = 0; line < 3; line++)
            if (mask >> line & 1)
                run->room[3 * (int64_t)run->touched[j] + line] -= run->sum[run->touched[j]];
    return 1;
}
