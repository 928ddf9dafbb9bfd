/* The network with the generic tile, and with attention rounded as PATH says: see `products_reference.h`. */

#define TILE_H "kernels/tile_generic.h"
#define PRODUCTS_H "products_reference.h"
#include "decoder.c"
#include "encoder.c"
#include "pack.c"
