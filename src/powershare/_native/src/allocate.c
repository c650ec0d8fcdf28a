/* One allocation: check, take off what is fixed, admit, fill class by class, answer. */
#include "kernel.h"

static int32_t check_shape(const ps_problem *p)
{
    const ps_site *site = p->site;
    const int32_t n = site->n_connectors, m = site->n_circuits;
    if (n > 0 && (!p->wanted || !p->lines_used || !p->waiting || !p->weight || !p->priority || !p->held || !p->cap ||
                  !p->allocated || !p->status || !p->bound))
        return PS_NULL;
    if (m > 0 && (!p->limit || !p->limit_connectors || !p->other || !p->room || !p->work64 || !p->work32))
        return PS_NULL;
    if (site->seal != ps_seal(n, m))
        return n < 0 || m < 0 || n > PS_MAX_CONNECTORS || m > PS_MAX_CIRCUITS ? PS_COUNT : PS_NOT_COMPILED;
    if (p->connector_len < n || p->circuit_len < m || p->work64_len < ps_scratch64(n, m) ||
        p->work32_len < ps_scratch32(n, m))
        return PS_LENGTH;
    return PS_OK;
}

/* Both ends in one comparison: below `low` the difference wraps round to a large one. */
static inline int out_of(int32_t value, int32_t low, int32_t high)
{
    return (uint32_t)value - (uint32_t)low > (uint32_t)high - (uint32_t)low;
}

static inline int is_load(int64_t load) { return (uint64_t)load <= (uint64_t)PS_MAX_LIMIT; }

static inline int is_no_limit(int64_t limit) { return !is_load(limit) & (limit != PS_NO_LIMIT); }

/* The first code that applies to any connector or row; only called when one does. */
static int32_t first_wrong(const ps_problem *p, int32_t n, int32_t rows)
{
    int32_t worst = PS_OTHER_LOAD;
    for (int32_t i = 0; i < n; i++) {
        int32_t code = PS_OTHER_LOAD;
        if (p->wanted[i] < 0)
            code = PS_WANTED;
        else if (p->lines_used[i] > 3)
            code = PS_LINES_USED;
        else if (p->waiting[i] < 0)
            code = PS_WAITING;
        else if (out_of(p->weight[i], 1, PS_MAX_WEIGHT))
            code = PS_WEIGHT;
        else if (out_of(p->held[i], PS_NOT_HELD, PS_MAX_OFFER) || (p->held[i] >= 0 && p->wanted[i] > 0))
            code = PS_HELD;
        else if (p->cap[i] < 0)
            code = PS_CAP;
        worst = code > worst ? code : worst;
    }
    for (int32_t row = 0; row < rows; row++)
        if (worst < PS_LIMIT && (is_no_limit(p->limit[row]) || is_no_limit(p->limit_connectors[row])))
            worst = PS_LIMIT;
    return worst;
}

/* Also answers whether there is any other load or held current to take off. */
static int32_t check_values(const ps_problem *p, int32_t n, int32_t rows, int *fixed)
{
    int wrong = 0;
    int32_t negative = 0, held_all = -1, used = 0;
    int64_t load = 0;
    for (int32_t i = 0; i < n; i++) {
        const int32_t wanted = p->wanted[i], held = p->held[i];
        /* The last is negative where something is both held (0 or more) and wanted. */
        negative |= wanted | p->waiting[i] | p->cap[i] | (~held & -(int32_t)(wanted > 0));
        used |= p->lines_used[i];
        wrong |= out_of(p->weight[i], 1, PS_MAX_WEIGHT) | out_of(held, PS_NOT_HELD, PS_MAX_OFFER);
        held_all &= held;
    }
    wrong |= (negative < 0) | (used > 3);
    for (int32_t row = 0; row < rows; row++) {
        wrong |= is_no_limit(p->limit[row]) | is_no_limit(p->limit_connectors[row]);
        wrong |= !is_load(p->other[row]);
        load |= p->other[row];
    }
    *fixed = (held_all >= 0) | (load != 0);
    return wrong ? first_wrong(p, n, rows) : PS_OK;
}

static void open_run(ps_run *run, const ps_problem *p)
{
    const int64_t n = p->site->n_connectors, m = p->site->n_circuits;
    int64_t *wide = p->work64;
    int32_t *narrow = p->work32;
    run->problem = p;
    run->site = p->site;
    run->room = p->room;
    run->keys = wide;
    run->stop = wide + n;
    run->part_floor = wide + 2 * n;
    run->part_most = wide + 3 * n;
    run->part_slope = wide + 4 * n;
    wide += PS_COLUMNS64 * n;
    run->least_sum = wide;
    run->sum = wide + 3 * m;
    run->level = wide + 6 * m;
    run->above = wide + 9 * m;
    run->moved_below = wide + 12 * m;
    run->connector = narrow;
    run->mask = narrow + n;
    run->least = narrow + 2 * n;
    run->ceiling = narrow + 3 * n;
    run->given = narrow + 4 * n;
    run->weight = narrow + 5 * n;
    run->part_connector = narrow + 6 * n;
    run->part_least = narrow + 7 * n;
    run->part_given = narrow + 8 * n;
    run->part_weight = narrow + 9 * n;
    narrow += PS_COLUMNS32 * n;
    run->touched = narrow;
    run->first = narrow + m;
    run->past = narrow + 2 * m;
    run->moved = narrow + 3 * m;
    run->moved_above = narrow + 4 * m;
}

/* What every row has before anything is allocated; PS_UNBOUNDED where it has no limit. */
static void open_rooms(ps_run *run, int fixed)
{
    const ps_problem *p = run->problem;
    const int32_t m = run->site->n_circuits, *parent = run->site->parent;
    int64_t *other = run->sum, *held = run->least_sum;
    for (int32_t row = 0; row < 3 * m; row++) {
        const int64_t limit = p->limit[row], alone = p->limit_connectors[row];
        const int64_t room = limit < alone ? limit : alone;
        run->room[row] = room < PS_UNBOUNDED ? room : PS_UNBOUNDED;
    }
    if (!fixed)
        return;
    for (int32_t row = 0; row < 3 * m; row++) {
        other[row] = p->other[row];
        held[row] = 0;
    }
    for (int32_t i = 0; i < run->site->n_connectors; i++)
        if (p->held[i] > 0)
            for (int32_t line = 0; line < 3; line++)
                if (run->site->masks[4 * (int64_t)i] >> line & 1)
                    held[3 * run->site->circuit[i] + line] += p->held[i];
    for (int32_t row = 3 * m - 1; row >= 0; row--) {
        const int32_t above = parent[row / 3];
        const int64_t limit = p->limit[row], alone = p->limit_connectors[row];
        int64_t room = PS_UNBOUNDED;
        if (limit != PS_NO_LIMIT)
            room = limit - other[row] - held[row];
        if (alone != PS_NO_LIMIT && alone - held[row] < room)
            room = alone - held[row];
        run->room[row] = room;
        if (above >= 0) {
            other[3 * above + row % 3] += other[row];
            held[3 * above + row % 3] += held[row];
        }
    }
}

static inline int32_t whole_steps(int32_t amount, int32_t step) { return amount - amount % step; }

/* Judges one who asks; answers the ceiling, or 0 where the least offer is out of reach. */
static inline int32_t ceiling_of(const ps_site *site, const ps_problem *p, int32_t i)
{
    const int32_t wanted = p->wanted[i], greatest = site->greatest[i], least = site->least[i], cap = p->cap[i];
    const int32_t uncapped = wanted < greatest ? whole_steps(wanted, site->step[i]) : greatest;
    const int32_t ceiling = cap < uncapped ? whole_steps(cap, site->step[i]) : uncapped;
    if (uncapped < least) {
        p->status[i] = PS_REFUSED;
        p->bound[i] = PS_BY_VEHICLE;
        return 0;
    }
    p->status[i] = ceiling < least ? PS_SHED : PS_ALLOCATED;
    p->bound[i] = ceiling < uncapped ? PS_BY_CAP : wanted < greatest ? PS_BY_VEHICLE : PS_BY_GREATEST;
    return ceiling < least ? 0 : ceiling;
}

static void put_candidate(ps_run *run, int32_t k, int32_t i, int32_t ceiling)
{
    const ps_problem *p = run->problem;
    run->connector[k] = i;
    run->mask[k] = run->site->masks[4 * (int64_t)i + p->lines_used[i]];
    run->least[k] = run->site->least[i];
    run->ceiling[k] = ceiling;
    run->given[k] = ceiling;
    run->weight[k] = p->weight[i];
}

/* Lists the candidates in tree order, and answers for everybody as if all ceilings fitted. The copies of what the
 * pointers lead to spare reading them again after every byte of `status` that is written. */
static void list_candidates(ps_run *shared)
{
    const ps_run run = *shared;
    const ps_site site = *run.site;
    const ps_problem p = *run.problem;
    int32_t count = 0, steps_differ = 0, any = 0, all = 7;
    uint32_t priorities_differ = 0;
    for (int32_t at = 0; at < site.n_connectors; at++) {
        const int32_t i = site.order[at];
        int32_t ceiling = 0, mask;
        p.allocated[i] = 0;
        if (p.wanted[i] > 0) {
            ceiling = ceiling_of(&site, &p, i);
        } else {
            p.status[i] = p.held[i] >= 0 ? PS_HOLDING : PS_IDLE;
            p.bound[i] = PS_BY_NOTHING;
        }
        if (ceiling == 0)
            continue;
        mask = site.masks[4 * (int64_t)i + p.lines_used[i]];
        run.connector[count] = i;
        run.mask[count] = mask;
        run.least[count] = site.least[i];
        run.ceiling[count] = ceiling;
        run.given[count] = ceiling;
        run.weight[count] = p.weight[i];
        any |= mask;
        all &= mask;
        steps_differ |= site.step[i] ^ site.step[run.connector[0]];
        priorities_differ |= (uint32_t)p.priority[i] ^ (uint32_t)p.priority[run.connector[0]];
        count++;
    }
    shared->count = count;
    shared->one_priority = priorities_differ == 0;
    shared->one_step = steps_differ == 0;
    shared->any_mask = any;
    shared->all_mask = all;
}

/* Higher priorities give smaller numbers, from 0 up to 2^32 - 1. */
static inline int64_t rank_of(const ps_problem *p, int32_t i) { return (int64_t)INT32_MAX - p->priority[i]; }

/* Fills keys with the candidates' connectors by priority, then waiting time, then site order. */
static void order_for_admission(ps_run *run)
{
    const ps_problem *p = run->problem;
    int64_t *keys = run->keys;
    int32_t end;
    for (int32_t k = 0; k < run->count; k++)
        keys[k] = (rank_of(p, run->connector[k]) << 20) | run->connector[k];
    if (!run->one_priority)
        ps_sort(keys, run->count);
    for (int32_t start = 0; start < run->count; start = end) {
        const int64_t rank = keys[start] >> 20;
        for (end = start; end < run->count && keys[end] >> 20 == rank; end++) {
            const int32_t i = (int32_t)(keys[end] & (PS_MAX_CONNECTORS - 1));
            keys[end] = ((int64_t)(INT32_MAX - p->waiting[i]) << 20) | i;
        }
        ps_sort(keys + start, end - start);
    }
}

/* Gives the least offers in order while they fit, and drops the candidates for whom none is left. */
static void admit_in_order(ps_run *run)
{
    const ps_problem *p = run->problem;
    int32_t kept = 0;
    order_for_admission(run);
    for (int32_t at = 0; at < run->count; at++) {
        const int32_t i = (int32_t)(run->keys[at] & (PS_MAX_CONNECTORS - 1)), least = run->site->least[i];
        const int32_t mask = run->site->masks[4 * (int64_t)i + p->lines_used[i]];
        const int32_t full = ps_full_row(run, run->site->circuit[i], mask, least);
        if (full < 0) {
            ps_take(run, run->site->circuit[i], mask, least);
        } else {
            p->status[i] = PS_SHED;
            p->bound[i] = full;
        }
    }
    for (int32_t k = 0; k < run->count; k++)
        if (p->status[run->connector[k]] == PS_ALLOCATED)
            put_candidate(run, kept++, run->connector[k], run->ceiling[k]);
    run->count = kept;
}

/* After a visit of all candidates: takes their least offers off the room, if all fit; answers whether they did. */
static int admit_all(ps_run *run)
{
    int fit = 1;
    for (int32_t j = 0; j < run->n_touched; j++)
        for (int32_t line = 0; line < 3; line++) {
            const int64_t row = 3 * (int64_t)run->touched[j] + line;
            fit &= run->least_sum[row] <= run->room[row] || run->least_sum[row] == 0;
        }
    for (int32_t j = 0; fit && j < run->n_touched; j++)
        for (int32_t line = 0; line < 3; line++)
            run->room[3 * run->touched[j] + line] -= run->least_sum[3 * run->touched[j] + line];
    return fit;
}

/* Puts the classes one behind the other, highest priority first, each in tree order. */
static void sort_classes(ps_run *run)
{
    for (int32_t k = 0; k < run->count; k++) {
        run->part_connector[k] = run->connector[k];
        run->part_given[k] = run->ceiling[k];
        run->keys[k] = (rank_of(run->problem, run->connector[k]) << 20) | k;
    }
    ps_sort(run->keys, run->count);
    for (int32_t k = 0; k < run->count; k++) {
        const int32_t from = (int32_t)(run->keys[k] & (PS_MAX_CONNECTORS - 1));
        put_candidate(run, k, run->part_connector[from], run->part_given[from]);
    }
}

/* How a class can be filled, found by what its candidates load. */
static void survey(ps_run *run, int32_t from, int32_t to, int *one_line)
{
    const int32_t step = ps_step_of(run, from);
    *one_line = 1;
    run->one_step = 1;
    run->any_mask = 0;
    run->all_mask = 7;
    for (int32_t k = from; k < to; k++) {
        const int32_t mask = run->mask[k];
        run->any_mask |= mask;
        run->all_mask &= mask;
        run->one_step &= ps_step_of(run, k) == step;
        *one_line &= (mask & (mask - 1)) == 0;
    }
}

/* Fills the class of the last visit, whose least offers are taken off the room. */
static void fill(ps_run *run, int32_t from, int32_t to)
{
    int scarce = 0, one_line;
    for (int32_t j = 0; j < run->n_touched; j++)
        for (int32_t line = 0; line < 3; line++)
            scarce |= ps_is_scarce(run, 3 * (int64_t)run->touched[j] + line);
    if (!scarce) {
        ps_settle(run);
        return;
    }
    survey(run, from, to, &one_line);
    if (run->one_step && run->any_mask == run->all_mask) {
        for (int32_t j = 0; j < run->n_touched; j++)
            for (int32_t line = 0; line < 3; line++)
                run->room[3 * run->touched[j] + line] += run->least_sum[3 * run->touched[j] + line];
        ps_fill_uniform(run, from, to);
    } else if (run->one_step && one_line) {
        ps_fill_nested(run, from, to);
    } else {
        ps_fill_mixed(run, from, to);
    }
}

static void fill_classes(ps_run *run)
{
    int32_t to;
    sort_classes(run);
    for (int32_t from = 0; from < run->count; from = to) {
        const int32_t priority = run->problem->priority[run->connector[from]];
        for (to = from; to < run->count && run->problem->priority[run->connector[to]] == priority;)
            to++;
        ps_visit(run, from, to);
        fill(run, from, to);
    }
}

/* Writes what is given, and which row keeps each from more; neighbours in the tree share the answer. */
static void answer(ps_run *run)
{
    const ps_problem *p = run->problem;
    int32_t circuit = -1, mask = 0, step = 0, full = -1;
    for (int32_t k = 0; k < run->count; k++) {
        const int32_t i = run->connector[k];
        p->allocated[i] = run->given[k];
        if (run->given[k] == run->ceiling[k])
            continue;
        if (run->site->circuit[i] != circuit || run->mask[k] != mask || run->site->step[i] != step) {
            circuit = run->site->circuit[i];
            mask = run->mask[k];
            step = run->site->step[i];
            full = ps_full_row(run, circuit, mask, step);
        }
        p->bound[i] = full;
    }
    for (int32_t row = 0; row < 3 * run->site->n_circuits; row++)
        if (run->room[row] > PS_MAX_LIMIT)
            run->room[row] = PS_NO_LIMIT;
}

/* Admits and fills whoever is listed. */
static void share_out(ps_run *run)
{
    if (run->one_priority && run->one_step && run->any_mask == run->all_mask && ps_fill_uniform(run, 0, run->count))
        return;
    ps_visit(run, 0, run->count);
    if (!admit_all(run)) {
        admit_in_order(run);
        if (run->one_priority)
            ps_visit(run, 0, run->count);
    }
    if (!run->one_priority)
        fill_classes(run);
    else if (run->count > 0)
        fill(run, 0, run->count);
}

int32_t ps_allocate(ps_problem *problem)
{
    ps_run run;
    int32_t code;
    int fixed;
    if (!problem || !problem->site)
        return PS_NULL;
    code = check_shape(problem);
    if (code == PS_OK && problem->site->alike && ps_allocate_few(problem->site, problem))
        return PS_OK;
    if (code == PS_OK)
        code = check_values(problem, problem->site->n_connectors, 3 * problem->site->n_circuits, &fixed);
    if (code != PS_OK)
        return code;
    open_run(&run, problem);
    open_rooms(&run, fixed);
    list_candidates(&run);
    if (run.count > 0)
        share_out(&run);
    answer(&run);
    return PS_OK;
}

int32_t ps_allocate_each(ps_problem *const *problems, int64_t count)
{
    int32_t refused = PS_OK;
    if (count < 0)
        return PS_COUNT;
    if (count > 0 && !problems)
        return PS_NULL;
    for (int64_t at = 0; at < count; at++) {
        const int32_t code = ps_allocate(problems[at]);
        if (refused == PS_OK)
            refused = code;
    }
    return refused;
}
