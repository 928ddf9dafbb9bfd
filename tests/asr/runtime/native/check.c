/* Holds every path of a compiled library to a reference of its own: `check LIBRARY [--all]`.
 *
 * The integer sums must be equal, bit for bit. A layer of an encoder and of a decoder with random weights must be what
 * plain loops compute whose attention is rounded as the path's is, within float rounding; and equal bit for bit whatever
 * the number of threads. Paths that the processor does not run are left out, but for --all, which is for emulated
 * instructions. A line is printed for each path.
 */

#define PATH shapes /* only what the structures look like is used of this one */
#define ELEMENT_BITS 23
#define FACTOR_BITS 23
#include "reference.c"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define STATE 128
#define HEADS (STATE / HEAD)
#define LAYERS 1
#define VOCABULARY 200
#define CONTEXT 16
#define SILENT 200 /* several panels */
#define SILENT_FROM 70
#define READ 22 /* rows of the decoder */
#define USUAL_ERROR 1e-5  /* of a row, relative, in the median */
#define LARGEST_ERROR 0.03 /* of a row in which a level on the edge between two was rounded the other way */

typedef struct {
    const char *name;
    int (*element_size)(void);
    void (*pack_weight)(const int8_t *, int32_t, int32_t, int8_t *);
    void (*pack_frames)(const float *, const float *, int32_t, int32_t, void *, void *);
    int (*integer_sums)(int32_t, int32_t, int32_t, const uint8_t *, const int8_t *, const int32_t *, int32_t *);
    int (*encoder_run)(const Encoder *, int32_t, float *, int32_t, int32_t);
    int (*decoder_step)(const Decoder *, int32_t, const Row *, Choice *, int32_t);
    int (*decoder_hear)(const Decoder *, int32_t, const float *, void *, void *, int32_t);
} Api;

static uint32_t state_of_random = 1;

static uint32_t random_bits(void) { /* Marsaglia's xorshift */
    state_of_random ^= state_of_random << 13;
    state_of_random ^= state_of_random >> 17;
    return state_of_random ^= state_of_random << 5;
}

static float random_float(void) { return (float)(random_bits() >> 8) / (1 << 23) - 1.0f; }

static float *random_floats(size_t n, float scale) {
    float *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++) x[i] = scale * random_float();
    return x;
}

static int8_t *random_weights(int32_t outputs, int32_t inputs, int extreme, int32_t **sums) {
    int8_t *weight = malloc((size_t)outputs * inputs);
    *sums = calloc(outputs, sizeof **sums);
    for (int32_t o = 0; o < outputs; o++)
        for (int32_t i = 0; i < inputs; i++) {
            const int8_t one = extreme ? (o & 1 ? -127 : 127) : (int8_t)(random_bits() % 255 - 127);
            weight[(size_t)o * inputs + i] = one;
            (*sums)[o] += one;
        }
    return weight;
}

static int8_t *packed_by(const Api *api, const int8_t *weight, int32_t outputs, int32_t inputs) {
    int8_t *packed = calloc((size_t)(outputs + PANEL - 1) / PANEL * PANEL, inputs);
    api->pack_weight(weight, outputs, inputs, packed);
    return packed;
}

static Linear random_linear(const Api *api, int32_t outputs, int32_t inputs, int biased) {
    int32_t *sums;
    const int8_t *weight = random_weights(outputs, inputs, 0, &sums);
    float *scale = random_floats(outputs, 0.001f);
    for (int32_t o = 0; o < outputs; o++) scale[o] += 0.002f;
    return (Linear){inputs, outputs, packed_by(api, weight, outputs, inputs), scale, sums,
                    biased ? random_floats(outputs, 0.1f) : NULL};
}

static LayerNorm random_norm(void) {
    float *gain = random_floats(STATE, 0.2f);
    for (int32_t i = 0; i < STATE; i++) gain[i] += 1.0f;
    return (LayerNorm){gain, random_floats(STATE, 0.1f)};
}

/* Room for panels, full of what is no number: all that is read must have been written. */
static void *no_frames(const Api *api, int32_t layers, int32_t frames) {
    const size_t size = (size_t)layers * HEADS * panels_of(frames) * PANEL_SIZE * api->element_size();
    return memset(malloc(size), 0xff, size);
}

static void random_silence(const Api *api, const Element **keys, const Element **values) {
    void *packed_keys = no_frames(api, LAYERS, SILENT), *packed_values = no_frames(api, LAYERS, SILENT);
    const size_t n = (size_t)LAYERS * HEADS * SILENT * HEAD;
    const float *own_keys = random_floats(n, 1.0f), *own_values = random_floats(n, 1.0f);
    api->pack_frames(own_keys, own_values, LAYERS * HEADS, SILENT, packed_keys, packed_values);
    *keys = packed_keys, *values = packed_values;
}

/* Encoded frames (rows, STATE), of random weights that are the same for every path. */
static float *encoded_by(const Api *api, int32_t rows, int32_t threads) {
    state_of_random = 7;
    EncoderBlock blocks[LAYERS];
    for (int32_t layer = 0; layer < LAYERS; layer++)
        blocks[layer] = (EncoderBlock){random_norm(), random_linear(api, 3 * STATE, STATE, 1),
                                       random_linear(api, STATE, STATE, 1), random_norm(),
                                       random_linear(api, 4 * STATE, STATE, 1), random_linear(api, STATE, 4 * STATE, 1)};
    Encoder encoder = {STATE, HEADS, LAYERS, blocks, random_norm(), SILENT, NULL, NULL, 1.4f};
    random_silence(api, &encoder.silent_keys, &encoder.silent_values);
    float *x = random_floats((size_t)rows * STATE, 1.0f);
    api->encoder_run(&encoder, rows, x, SILENT_FROM, threads);
    return x;
}

/* Logits (READ, VOCABULARY) of two steps, of four sequences about two clips. The first step reads a text of three tokens
 * that a second sequence has, too, and another of fourteen, more than look at a panel together. */
static float *decoded_by(const Api *api, int32_t threads, Choice choices[READ]) {
    state_of_random = 11;
    Block blocks[LAYERS];
    for (int32_t layer = 0; layer < LAYERS; layer++)
        blocks[layer] = (Block){random_norm(), random_linear(api, 3 * STATE, STATE, 1),
                                random_linear(api, STATE, STATE, 1), random_norm(),
                                random_linear(api, STATE, STATE, 1), random_linear(api, 2 * STATE, STATE, 1),
                                random_linear(api, STATE, STATE, 1), random_norm(),
                                random_linear(api, 4 * STATE, STATE, 1), random_linear(api, STATE, 4 * STATE, 1)};
    Decoder decoder = {STATE, HEADS, LAYERS, VOCABULARY, CONTEXT, random_floats(VOCABULARY * STATE, 1.0f),
                       random_floats(CONTEXT * STATE, 1.0f), blocks, random_norm(),
                       random_linear(api, VOCABULARY, STATE, 0), SILENT, NULL, NULL, 1.4f};
    random_silence(api, &decoder.silent_keys, &decoder.silent_values);
    const int32_t frames[2] = {70, 33};
    void *keys[2], *values[2];
    for (int32_t clip = 0; clip < 2; clip++) {
        keys[clip] = no_frames(api, LAYERS, frames[clip]), values[clip] = no_frames(api, LAYERS, frames[clip]);
        api->decoder_hear(&decoder, frames[clip], random_floats((size_t)frames[clip] * STATE, 1.0f), keys[clip],
                          values[clip], threads);
    }
    const size_t past = (size_t)LAYERS * 2 * HEADS * CONTEXT * HEAD;
    float *pasts = calloc(4, past * sizeof(float)), *beside[1] = {pasts + past};
    float *mask = calloc(VOCABULARY, sizeof *mask), *logits = malloc(READ * VOCABULARY * sizeof *logits);
    const float boosts[6] = {0.5f, 3.0f, 0.1f, 2.0f, 1.0f, 4.0f};
    const int32_t favoured[6] = {3, 14, 15, 92, 65, 35};
    Row rows[READ];
    for (int32_t r = 0; r < READ; r++) {
        const int32_t second = r >= 18; /* step, in which each sequence reads one token on */
        const int32_t sequence = second ? r - 18 : r < 3 ? 0 : r < 17 ? 2 : 3, clip = sequence == 3;
        const int32_t lengths[4] = {3, 3, 14, 1}, begins[4] = {0, 0, 3, 17};
        rows[r] = (Row){.token = (int32_t)(random_bits() % VOCABULARY),
                        .position = second ? lengths[sequence] : r - begins[sequence],
                        .past = pasts + sequence * past, .beside = beside, .beside_count = r < 3,
                        .cross_keys = keys[clip], .cross_values = values[clip], .heard = frames[clip],
                        .silent_from = SILENT_FROM + clip, .mask = mask, .logits = logits + (size_t)r * VOCABULARY,
                        .favoured = favoured, .boosts = boosts, .favoured_count = r % 2 ? 6 : 0};
    }
    api->decoder_step(&decoder, 18, rows, choices, threads);
    api->decoder_step(&decoder, READ - 18, rows + 18, choices + 18, threads);
    return logits;
}

/* Whether the favourites are the best four of six, the very best first. */
static int favourites_are_wrong(const Choice *choice, const float *logits) {
    const float boosts[6] = {0.5f, 3.0f, 0.1f, 2.0f, 1.0f, 4.0f};
    const int32_t favoured[6] = {3, 14, 15, 92, 65, 35};
    int wrong = choice->favourite_count != FAVOURITES;
    for (int32_t place = 0; place < FAVOURITES; place++) {
        int32_t better = 0, own = -1;
        for (int32_t i = 0; i < 6; i++)
            if (favoured[i] == choice->favourites[place]) own = i;
        if (own < 0) return 1;
        for (int32_t i = 0; i < 6; i++) better += logits[favoured[i]] + boosts[i] > logits[favoured[own]] + boosts[own];
        wrong |= better != place;
    }
    return wrong;
}

typedef struct {
    double median, largest;
} Errors;

static int ascending(const void *one, const void *other) {
    const double difference = *(const double *)one - *(const double *)other;
    return (difference > 0) - (difference < 0);
}

/* Relative errors of rows (rows, n). */
static Errors errors_of(const float *ours, const float *expected, int32_t rows, int32_t n) {
    double errors[rows];
    for (int32_t r = 0; r < rows; r++) {
        double difference = 0, size = 0;
        for (int32_t i = r * n; i < (r + 1) * n; i++) {
            difference += ((double)ours[i] - expected[i]) * ((double)ours[i] - expected[i]);
            size += (double)expected[i] * expected[i];
        }
        errors[r] = sqrt(difference / size);
    }
    qsort(errors, rows, sizeof *errors, ascending);
    return (Errors){errors[rows / 2], errors[rows - 1]};
}

/* Also where an error is no number. */
static int too_large(Errors errors) { return !(errors.median < USUAL_ERROR) || !(errors.largest < LARGEST_ERROR); }

static int sums_differ(const Api *api, int32_t rows, int32_t inputs, int32_t outputs, int extreme) {
    int32_t *weight_sums;
    const int8_t *weight = random_weights(outputs, inputs, extreme, &weight_sums);
    const int8_t *packed = packed_by(api, weight, outputs, inputs);
    uint8_t *levels = malloc((size_t)rows * inputs);
    for (size_t i = 0; i < (size_t)rows * inputs; i++) levels[i] = extreme ? 255 : (uint8_t)random_bits();
    int32_t *sums = malloc((size_t)rows * outputs * sizeof *sums);
    api->integer_sums(rows, inputs, outputs, levels, packed, weight_sums, sums);
    int differ = 0;
    for (int32_t r = 0; r < rows; r++)
        for (int32_t o = 0; o < outputs; o++) {
            int32_t expected = 0;
            for (int32_t i = 0; i < inputs; i++)
                expected += levels[(size_t)r * inputs + i] * weight[(size_t)o * inputs + i];
            differ |= sums[(size_t)r * outputs + o] != expected;
        }
    if (differ) printf("%s: sums of %d rows, %d inputs and %d outputs differ\n", api->name, rows, inputs, outputs);
    return differ;
}

static int check(const Api *api, const Api *reference) {
    int wrong = 0;
    for (int32_t rows = 1; rows <= 50; rows += rows < 9 ? 1 : 7) {
        wrong |= sums_differ(api, rows, 64, 128, 0) | sums_differ(api, rows, 320, 64, 0);
        wrong |= sums_differ(api, rows, 512, 64, 1);
    }
    const int32_t frames = 75;
    Choice choices[READ] = {0}, of_threads[READ] = {0}, expected[READ] = {0};
    const float *encoded = encoded_by(api, frames, 1), *encoded_of_threads = encoded_by(api, frames, 3);
    const float *logits = decoded_by(api, 1, choices), *logits_of_threads = decoded_by(api, 3, of_threads);
    const Errors encoder = errors_of(encoded, encoded_by(reference, frames, 1), frames, STATE);
    const Errors decoder = errors_of(logits, decoded_by(reference, 1, expected), READ, VOCABULARY);
    if (memcmp(encoded, encoded_of_threads, (size_t)frames * STATE * sizeof(float)) ||
        memcmp(logits, logits_of_threads, READ * VOCABULARY * sizeof(float)) ||
        memcmp(choices, of_threads, sizeof choices)) {
        printf("%s: the number of threads changes what is computed\n", api->name);
        wrong = 1;
    }
    wrong |= too_large(encoder) | too_large(decoder);
    for (int32_t r = 1; r < READ; r += 2) wrong |= favourites_are_wrong(choices + r, logits + r * VOCABULARY);
    printf("%s: %s, against %s; errors of the encoder's rows %.1e, at most %.1e; of the decoder's %.1e, at most %.1e\n",
           api->name, wrong ? "WRONG" : "ok", reference->name, encoder.median, encoder.largest, decoder.median,
           decoder.largest);
    return wrong;
}

static void *symbol(void *library, const char *function, const char *path) {
    char name[64];
    snprintf(name, sizeof name, "%s_%s", function, path);
    return dlsym(library, name);
}

static Api api_of(void *library, const char *path) {
    Api api = {.name = path};
    *(void **)&api.element_size = symbol(library, "element_size", path);
    *(void **)&api.pack_weight = symbol(library, "pack_weight", path);
    *(void **)&api.pack_frames = symbol(library, "pack_frames", path);
    *(void **)&api.integer_sums = symbol(library, "integer_sums", path);
    *(void **)&api.encoder_run = symbol(library, "encoder_run", path);
    *(void **)&api.decoder_step = symbol(library, "decoder_step", path);
    *(void **)&api.decoder_hear = symbol(library, "decoder_hear", path);
    return api;
}

#define DECLARED(path)                                                                                             \
    int element_size_##path(void);                                                                                 \
    void pack_weight_##path(const int8_t *, int32_t, int32_t, int8_t *);                                           \
    void pack_frames_##path(const float *, const float *, int32_t, int32_t, void *, void *);                       \
    int integer_sums_##path(int32_t, int32_t, int32_t, const uint8_t *, const int8_t *, const int32_t *, int32_t *); \
    int encoder_run_##path(const Encoder *, int32_t, float *, int32_t, int32_t);                                   \
    int decoder_step_##path(const Decoder *, int32_t, const Row *, Choice *, int32_t);                             \
    int decoder_hear_##path(const Decoder *, int32_t, const float *, void *, void *, int32_t)
DECLARED(float32);
DECLARED(float16);
DECLARED(bfloat16);

#define REFERENCE(path)                                                                                    \
    {                                                                                                      \
        #path, element_size_##path, pack_weight_##path, pack_frames_##path, integer_sums_##path,           \
            encoder_run_##path, decoder_step_##path, decoder_hear_##path                                   \
    }
static const Api FLOAT32 = REFERENCE(float32), FLOAT16 = REFERENCE(float16), BFLOAT16 = REFERENCE(bfloat16);

int main(int count, char **arguments) {
    const struct {
        const char *path;
        const Api *reference; /* whose attention is rounded alike */
    } paths[] = {{"generic", &FLOAT32},      {"avx2", &FLOAT16},         {"avx_vnni", &FLOAT16},
                 {"avx512_vnni", &FLOAT16},  {"avx512_bf16", &BFLOAT16}, {"amx", &BFLOAT16},
                 {"neon", &FLOAT16},         {"neon_dot", &FLOAT16},     {"neon_i8mm", &FLOAT16}};
    void *library = count > 1 ? dlopen(arguments[1], RTLD_NOW) : NULL;
    if (!library) {
        fprintf(stderr, "check LIBRARY [--all]: %s\n", count > 1 ? dlerror() : "no library is named");
        return 2;
    }
    int (*runs)(const char *);
    *(void **)&runs = dlsym(library, "processor_runs");
    int wrong = 0;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const Api api = api_of(library, paths[i].path);
        if (!api.encoder_run) continue;
        if (count > 2 || runs(api.name)) wrong |= check(&api, paths[i].reference);
        else printf("%s: this processor does not run it\n", api.name);
    }
    return wrong;
}
