/* Of what sources the library was compiled: `build.py` says. */

const char *fingerprint(void) { return FINGERPRINT; }
