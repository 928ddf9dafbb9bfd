/* On other architectures only the reference runs. */

#include <string.h>

#include "processor.h"

int processor_runs(const char *path) { return !strcmp(path, "generic"); }
