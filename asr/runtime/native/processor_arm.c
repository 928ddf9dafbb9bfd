/* Which paths a 64 bit ARM processor can run, by what the system says of it. NEON is on all of them. */

#include <stddef.h>
#include <string.h>
#ifdef __APPLE__
#include <sys/sysctl.h>
#else
#include <sys/auxv.h>
#endif

#include "processor.h"

#ifdef __APPLE__
static int says(const char *feature) {
    int value = 0;
    size_t size = sizeof value;
    return !sysctlbyname(feature, &value, &size, NULL, 0) && value;
}
static int has_dot(void) { return says("hw.optional.arm.FEAT_DotProd"); }
static int has_i8mm(void) { return says("hw.optional.arm.FEAT_I8MM"); }
#else
static int has_dot(void) { return getauxval(AT_HWCAP) >> 20 & 1; }                 /* HWCAP_ASIMDDP */
static int has_i8mm(void) { return has_dot() && getauxval(AT_HWCAP2) >> 13 & 1; } /* HWCAP2_I8MM */
#endif

int processor_runs(const char *path) {
    if (!strcmp(path, "neon_dot")) return has_dot();
    if (!strcmp(path, "neon_i8mm")) return has_i8mm();
    return !strcmp(path, "generic") || !strcmp(path, "neon");
}
