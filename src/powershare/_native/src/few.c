/* The commonest allocation of all, in a fraction of the time: a few connectors on one circuit, wired alike, with one
 * step, one weight and one priority, nothing held, no other load, and room for all least offers. Everything else, and
 * every oddity, is left to the general way; the answers are the same.
 */
#include "kernel.h"

typedef struct few {
    int32_t ceiling[PS_FEW], given[PS_FEW], least[PS_FEW];
    int32_t count;
    int64_t least_sum, ceiling_sum;
} few;

/* Lists those who ask; answers 0 where the general way has to do it. */
static int list_few(const ps_site *site, const ps_problem *p, few *list)
{
    const int32_t n = site->n_connectors, step = site->step[0], weight = p->weight[0], priority = p->priority[0];
    int32_t differ = 0, count = 0;
    int64_t least_sum = 0, ceiling_sum = 0;
    for (int32_t i = 0; i < n; i++) {
        const int32_t wanted = p->wanted[i], cap = p->cap[i], least = site->least[i], greatest = site->greatest[i];
        int32_t ceiling = wanted < greatest ? wanted : greatest;
        if (cap < ceiling || (wanted > 0 && ceiling < least))
            return 0;
        if (ceiling < greatest && step > 1)
            ceiling -= ceiling % step;
        differ |= (p->weight[i] ^ weight) | (p->priority[i] ^ priority);
        list->least[count] = least;
        list->ceiling[count] = ceiling;
        list->given[count] = ceiling;
        least_sum += wanted > 0 ? least : 0;
        ceiling_sum += ceiling;
        count += wanted > 0;
    }
    list->count = count;
    list->least_sum = least_sum;
    list->ceiling_sum = ceiling_sum;
    return differ == 0;
}

static inline int64_t room_of(const ps_problem *p, int64_t row)
{
    return p->limit[row] < p->limit_connectors[row] ? p->limit[row] : p->limit_connectors[row];
}

/* The least that any row on the way from the connectors' circuit to the root can take. */
static int64_t capacity_of(const ps_site *site, const ps_problem *p)
{
    int64_t capacity = PS_UNBOUNDED;
    for (int32_t circuit = site->circuit[0]; circuit >= 0; circuit = site->parent[circuit])
        for (int32_t line = 0; line < 3; line++)
            if ((site->masks[0] >> line & 1) && room_of(p, 3 * (int64_t)circuit + line) < capacity)
                capacity = room_of(p, 3 * (int64_t)circuit + line);
    return capacity;
}

/* Writes what is left on every row; answers the row that keeps the connectors from another step, or -1. */
static int32_t answer_rows(const ps_site *site, const ps_problem *p, int64_t taken)
{
    int32_t full = PS_BY_NOTHING;
    for (int32_t row = 0; row < 3 * site->n_circuits; row++)
        p->room[row] = room_of(p, row);
    for (int32_t circuit = site->circuit[0]; circuit >= 0; circuit = site->parent[circuit])
        for (int32_t line = 0; line < 3; line++) {
            const int32_t row = 3 * circuit + line;
            if (!(site->masks[0] >> line & 1) || p->room[row] == PS_NO_LIMIT)
                continue;
            p->room[row] -= taken;
            if (full < 0 && p->room[row] < site->step[0])
                full = row;
        }
    return full;
}

static void answer_connectors(const ps_site *site, const ps_problem *p, const few *list, int32_t full)
{
    int32_t at = 0;
    for (int32_t i = 0; i < site->n_connectors; i++) {
        const int32_t wanted = p->wanted[i], asks = wanted > 0;
        const int32_t given = asks ? list->given[at] : 0;
        const int32_t unbound = wanted < site->greatest[i] ? PS_BY_VEHICLE : PS_BY_GREATEST;
        p->allocated[i] = given;
        p->bound[i] = !asks ? PS_BY_NOTHING : given < list->ceiling[at] ? full : unbound;
        at += asks;
    }
    for (int32_t i = 0; i < site->n_connectors; i++)
        p->status[i] = p->wanted[i] > 0 ? PS_ALLOCATED : PS_IDLE;
}

int ps_allocate_few(const ps_site *site, const ps_problem *p)
{
    few list;
    int64_t capacity, taken = 0;
    if (!list_few(site, p, &list))
        return 0;
    capacity = capacity_of(site, p);
    if (list.least_sum > capacity)
        return 0;
    if (list.ceiling_sum > capacity) {
        const ps_limit_group group = {site->order, list.least, p->weight, list.given, list.count, site->step[0],
                                      capacity};
        taken = ps_clip_alike(0, &group);
    } else {
        taken = list.ceiling_sum;
    }
    answer_connectors(site, p, &list, answer_rows(site, p, taken));
    return 1;
}
