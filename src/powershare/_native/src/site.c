/* Checking a site and laying its connectors out in tree order. */
#include "kernel.h"

static int is_power_of_two_mask(unsigned mask) { return (mask & (mask - 1u)) == 0; }

static int32_t check_counts(const ps_site *site)
{
    const int32_t n = site->n_connectors, m = site->n_circuits;
    if (m > 0 && (!site->parent || !site->ends))
        return PS_NULL;
    if (n > 0 && (!site->circuit || !site->masks || !site->least || !site->greatest || !site->step || !site->order))
        return PS_NULL;
    if (n < 0 || m < 0 || n > PS_MAX_CONNECTORS || m > PS_MAX_CIRCUITS)
        return PS_COUNT;
    if (site->connector_len < n || site->circuit_len < m)
        return PS_LENGTH;
    return PS_OK;
}

static int masks_are_wrong(const uint8_t *masks)
{
    int wrong = 0;
    for (int used = 0; used < 4; used++)
        wrong |= masks[used] < 1 || masks[used] > 7 || (masks[used] & ~masks[0]) != 0;
    return wrong;
}

static int offers_are_wrong(int32_t least, int32_t greatest, int32_t step)
{
    if (step <= 0 || step > least || least > greatest || greatest > PS_MAX_OFFER)
        return 1;
    return least % step != 0 || greatest % step != 0;
}

static int32_t check_columns(const ps_site *site)
{
    const int32_t n = site->n_connectors, m = site->n_circuits;
    for (int32_t c = 0; c < m; c++)
        if (site->parent[c] < -1 || site->parent[c] >= c)
            return PS_CYCLE;
    for (int32_t i = 0; i < n; i++)
        if (site->circuit[i] < 0 || site->circuit[i] >= m)
            return PS_CIRCUIT;
    for (int32_t i = 0; i < n; i++)
        if (masks_are_wrong(site->masks + 4 * (int64_t)i))
            return PS_MASK;
    for (int32_t i = 0; i < n; i++)
        if (offers_are_wrong(site->least[i], site->greatest[i], site->step[i]))
            return PS_OFFERS;
    return PS_OK;
}

static int32_t shape_of(const ps_site *site)
{
    int one_mask = 1, one_line = 1;
    for (int64_t at = 0; at < 4 * (int64_t)site->n_connectors; at++) {
        one_mask &= site->masks[at] == site->masks[0];
        one_line &= is_power_of_two_mask(site->masks[at]);
    }
    return one_mask ? PS_SHAPE_ONE_MASK : one_line ? PS_SHAPE_ONE_LINE : PS_SHAPE_MIXED;
}

static int32_t is_in_order(const ps_site *site)
{
    for (int32_t k = 0; k < site->n_connectors; k++)
        if (site->order[k] != k)
            return 0;
    return 1;
}

static int32_t is_alike(const ps_site *site)
{
    const int32_t n = site->n_connectors;
    if (n < 1 || n > PS_FEW || site->n_circuits > PS_FEW_CIRCUITS || site->shape != PS_SHAPE_ONE_MASK)
        return 0;
    for (int32_t i = 0; i < n; i++) {
        if (site->circuit[i] != site->circuit[0] || site->step[i] != site->step[0])
            return 0;
        /* Up to here step_inverse divides exactly: x * step < 2^32 for every x that is divided. */
        if ((int64_t)site->greatest[i] * site->step[i] * PS_FEW > UINT32_MAX)
            return 0;
    }
    return 1;
}

/* Children first, then the circuit's own connectors; both in site order. */
static void lay_out(ps_site *site)
{
    const int32_t n = site->n_connectors, m = site->n_circuits;
    int32_t *at = site->ends, next_root = 0;
    for (int32_t c = 0; c < m; c++)
        at[c] = 0;
    for (int32_t i = 0; i < n; i++)
        at[site->circuit[i]]++;
    for (int32_t c = m - 1; c >= 0; c--) /* now at[c] becomes the size of the subtree */
        if (site->parent[c] >= 0)
            at[site->parent[c]] += at[c];
    for (int32_t c = 0; c < m; c++) { /* and from the roots downward the place where its next child goes */
        int32_t *above = site->parent[c] < 0 ? &next_root : &at[site->parent[c]];
        const int32_t size = at[c];
        at[c] = *above;
        *above += size;
    }
    for (int32_t i = 0; i < n; i++)
        site->order[at[site->circuit[i]]++] = i;
}

int32_t ps_site_compile(ps_site *site)
{
    int32_t code;
    if (!site)
        return PS_NULL;
    site->seal = 0;
    code = check_counts(site);
    if (code == PS_OK)
        code = check_columns(site);
    if (code != PS_OK)
        return code;
    lay_out(site);
    site->shape = shape_of(site);
    site->in_order = is_in_order(site);
    site->alike = is_alike(site);
    site->step_inverse = site->alike ? (UINT64_C(1) << 32) / (uint32_t)site->step[0] + 1 : 0;
    site->seal = ps_seal(site->n_connectors, site->n_circuits);
    return PS_OK;
}

int64_t ps_work64_len(int32_t n_connectors, int32_t n_circuits)
{
    if (n_connectors < 0 || n_circuits < 0)
        return 0;
    return ps_scratch64(n_connectors, n_circuits);
}

int64_t ps_work32_len(int32_t n_connectors, int32_t n_circuits)
{
    if (n_connectors < 0 || n_circuits < 0)
        return 0;
    return ps_scratch32(n_connectors, n_circuits);
}
