#pragma once

/* A vector stays in its register, where gcc would copy it to memory and back, or read it again for each row. */
#ifndef KEEP_IN_REGISTER
#define KEEP_IN_REGISTER(vector) __asm__("" : "+v"(vector))
#endif
