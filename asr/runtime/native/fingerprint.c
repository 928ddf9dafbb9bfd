/* Of what sources the library was compiled: `build.py` says. */

__attribute__((visibility("default"))) const char *fingerprint(void) { return FINGERPRINT; }
