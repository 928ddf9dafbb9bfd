#pragma once

/* Does this processor have the instructions of a path, and does the system let this process use them? */
__attribute__((visibility("default"))) int processor_runs(const char *path);
