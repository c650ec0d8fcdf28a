/* Runs one scenario of benchmarks/scenarios.py against the bare kernel: kernel_driver SHAPE CONNECTORS CALLS.
 * Prints nanoseconds per call, the least of several rounds; under callgrind only ps_allocate is counted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "powershare_kernel.h"

static void *zeroed(int64_t count, size_t size)
{
    void *memory = calloc((size_t)count + 1, size);
    if (memory == NULL) {
        exit(1);
    }
    return memory;
}

static uint8_t rotated(int32_t place, int32_t used)
{
    uint8_t mask = 0;
    for (int32_t k = 0; k < used; k++) {
        mask |= (uint8_t)(1 << ((place + k) % 3));
    }
    return mask;
}

typedef struct scenario {
    ps_site site;
    ps_problem problem;
} scenario;

/* One feeder; beyond six connectors groups of six on panels of ten groups, as in scenarios.py. */
static void build(scenario *made, int mixed, int32_t n)
{
    int32_t groups = n > 6 ? (n + 5) / 6 : 0;
    int32_t panels = (groups + 9) / 10;
    int32_t m = 1 + panels + groups;
    int32_t *parent = zeroed(m, sizeof *parent), *circuit = zeroed(n, sizeof *circuit);
    int32_t *least = zeroed(n, sizeof *least), *greatest = zeroed(n, sizeof *greatest), *step = zeroed(n, sizeof *step);
    uint8_t *masks = zeroed(4 * (int64_t)n, 1), *used = zeroed(n, 1);
    int32_t *wanted = zeroed(n, sizeof *wanted), *weight = zeroed(n, sizeof *weight);
    int32_t *held = zeroed(n, sizeof *held), *cap = zeroed(n, sizeof *cap);
    int64_t *limit = zeroed(3 * (int64_t)m, sizeof *limit), *network = zeroed(3 * (int64_t)m, sizeof *network);
    parent[0] = -1;
    for (int32_t c = 0; c < m; c++) {
        int32_t group = c - 1 - panels;
        if (c > 0) {
            parent[c] = c <= panels ? 0 : 1 + group / 10;
        }
        for (int32_t line = 0; line < 3; line++) {
            network[3 * c + line] = PS_NO_LIMIT;
            limit[3 * c + line] = c == 0 ? 8800 * (int64_t)n
                                  : c <= panels ? 515000 + 7000 * (((c - 1) * 10) % 7)
                                                : 42000 + 7000 * (group % 5);
        }
    }
    for (int32_t i = 0; i < n; i++) {
        circuit[i] = n > 6 ? 1 + panels + i / 6 : 0;
        masks[4 * i] = mixed ? 7 : 1;
        for (int32_t k = 1; k <= 3; k++) {
            masks[4 * i + k] = mixed ? rotated(i, k) : 1;
        }
        least[i] = 6000, greatest[i] = 32000, step[i] = 100;
        wanted[i] = 32000 - 100 * (i * 37 % 250);
        used[i] = (uint8_t)(mixed && i % 2 == 0);
        weight[i] = 1, held[i] = PS_NOT_HELD, cap[i] = PS_NO_CAP;
    }
    made->site = (ps_site){.n_connectors = n, .n_circuits = m, .connector_len = n, .circuit_len = m,
                           .parent = parent, .circuit = circuit, .masks = masks, .least = least,
                           .greatest = greatest, .step = step, .order = zeroed(n, 4), .ends = zeroed(m, 4)};
    int64_t work64 = ps_work64_len(n, m), work32 = ps_work32_len(n, m);
    made->problem = (ps_problem){.site = &made->site, .connector_len = n, .circuit_len = m,
                                 .work64_len = work64, .work32_len = work32, .wanted = wanted, .lines_used = used,
                                 .waiting = zeroed(n, 4), .weight = weight, .priority = zeroed(n, 4), .held = held,
                                 .cap = cap, .limit = limit, .limit_connectors = network, .other = zeroed(3 * (int64_t)m, 8),
                                 .allocated = zeroed(n, 4), .status = zeroed(n, 1), .bound = zeroed(n, 4),
                                 .room = zeroed(3 * (int64_t)m, 8), .work64 = zeroed(work64, 8), .work32 = zeroed(work32, 4)};
}

static double seconds(void)
{
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: kernel_driver one_line|mixed CONNECTORS CALLS [ROUNDS]\n");
        return 2;
    }
    scenario made;
    build(&made, strcmp(argv[1], "mixed") == 0, (int32_t)atol(argv[2]));
    long calls = atol(argv[3]), rounds = argc > 4 ? atol(argv[4]) : 1;
    if (ps_site_compile(&made.site) != PS_OK) {
        return 1;
    }
    double best = 1e9;
    for (long round = 0; round < rounds; round++) {
        double start = seconds();
        for (long k = 0; k < calls; k++) {
            if (ps_allocate(&made.problem) != PS_OK) {
                return 1;
            }
        }
        double each = (seconds() - start) / (double)calls;
        best = each < best ? each : best;
    }
    int64_t total = 0;
    for (int32_t i = 0; i < made.site.n_connectors; i++) {
        total += made.problem.allocated[i];
    }
    printf("%.1f ns a call, %lld mA allocated\n", best * 1e9, (long long)total);
    return total > 0 ? 0 : 1;
}
