/* Which paths an x86-64 processor can run, by what it and the system say (Intel's manual, volume 2A, CPUID). */

#include <cpuid.h>
#include <string.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "processor.h"

typedef struct {
    unsigned eax, ebx, ecx, edx;
} Leaf;

static Leaf leaf(unsigned number, unsigned part) {
    Leaf it = {0};
    if (!__get_cpuid_count(number, part, &it.eax, &it.ebx, &it.ecx, &it.edx)) return (Leaf){0};
    return it;
}

static int bit(unsigned word, int place) { return word >> place & 1; }

/* The registers that the system saves when it switches threads, a bit for each kind. */
static unsigned saved_registers(void) {
    if (!bit(leaf(1, 0).ecx, 27)) return 0; /* OSXSAVE: without it they cannot be asked for */
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static int has_avx2(void) {
    const unsigned first = leaf(1, 0).ecx;
    return (saved_registers() & 0x6) == 0x6 && bit(first, 12) && bit(first, 29) &&
           bit(leaf(7, 0).ebx, 5); /* FMA, F16C, AVX2 */
}

static int has_avx_vnni(void) { return has_avx2() && bit(leaf(7, 1).eax, 4); }

static int has_avx512_vnni(void) {
    const Leaf features = leaf(7, 0);
    return has_avx2() && (saved_registers() & 0xe0) == 0xe0 && bit(features.ebx, 16) && bit(features.ebx, 17) &&
           bit(features.ebx, 30) && bit(features.ebx, 31) && bit(features.ecx, 11); /* F, DQ, BW, VL, VNNI */
}

static int has_avx512_bf16(void) { return has_avx512_vnni() && bit(leaf(7, 1).eax, 5); }

/* Linux gives a process the large tile registers when it asks for them. */
static int may_use_tiles(void) {
#ifdef __linux__
    return !syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18 /* XFEATURE_XTILEDATA */);
#else
    return 0;
#endif
}

static int has_amx(void) {
    const unsigned features = leaf(7, 0).edx;
    return has_avx512_bf16() && bit(features, 24) && bit(features, 25) && (saved_registers() & 0x60000) == 0x60000 &&
           may_use_tiles();
}

int processor_runs(const char *path) {
    const struct {
        const char *name;
        int (*has)(void);
    } paths[] = {
        {"avx2", has_avx2},
        {"avx_vnni", has_avx_vnni},
        {"avx512_vnni", has_avx512_vnni},
        {"avx512_bf16", has_avx512_bf16},
        {"amx", has_amx},
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (!strcmp(path, paths[i].name)) return paths[i].has();
    return !strcmp(path, "generic");
}
